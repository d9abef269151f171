"""Questions: seeded, of every kind, both ways, their answers those of another way of finding out."""

import pytest
from lab.labs import opened, real

from minidocker.lab import Quiz
from minidocker.lab.questions import questions

SEEDS = range(12)


@pytest.fixture(scope="module")
def asked():
    with opened("sim") as lab:
        return [question for seed in SEEDS for question in questions(lab, seed, 4)]


def test_there_is_every_kind(asked):
    assert {question.kind for question in asked} == {"serves", "lies", "call", "result"}


def test_a_question_offers_its_answer_among_others(asked):
    for question in asked:
        assert question.answer in question.choices
        assert len(set(question.choices)) == len(question.choices) > 2
        assert question.why


def test_the_answers_are_not_always_at_the_same_place(asked):
    places = {question.choices.index(question.answer) for question in asked if question.kind in ("call", "result")}
    assert len(places) >= 3


def test_the_same_seed_asks_the_same():
    with opened("sim") as one, opened("sim") as two:
        told = [[(q.text, q.choices, q.answer) for q in questions(lab, seed, 4)] for lab in (one, two) for seed in (7,)]
        other = [(q.text, q.choices, q.answer) for q in questions(one, 8, 4)]
    assert told[0] == told[1] != other


@pytest.mark.slow
@real
def test_the_real_kernel_agrees_with_every_case():
    with opened("both") as lab:
        for question in questions(lab, 99, 12):
            assert question.shown.verdict.ok, question.shown.verdict.difference


def test_a_quiz_is_graded_and_counts(lab):
    quiz = Quiz(lab, seed=3, count=4)
    predictions = quiz.ask()
    assert quiz.score == "0 of 0 right, 4 to go"
    predictions[0].commit(quiz.questions[0].answer)
    wrong = next(choice for choice in quiz.questions[1].choices if choice != quiz.questions[1].answer)
    predictions[1].commit(wrong)
    assert quiz.score == "1 of 2 right, 2 to go"


def test_a_question_does_not_give_itself_away(asked):
    for question in asked:
        if question.kind in ("call", "serves"):
            assert question.why not in question.text
        if question.kind == "result" and question.answer != "it works":
            assert question.answer not in question.text


SUBJECTS = {
    "namespaces": {"pid", "hostname", "flags", "shared", "mounted"},
    "limits": {"file", "memory", "pids", "share", "flag"},
}


@pytest.mark.slow
@pytest.mark.parametrize("about", SUBJECTS)
def test_other_subjects_have_questions_of_every_kind(about):
    with opened("sim") as lab:
        found = questions(lab, 3, 5, about)
    assert {question.kind for question in found} == SUBJECTS[about]
    for question in found:
        assert question.answer in question.choices
        assert len(set(question.choices)) == len(question.choices) > 2
        assert question.why


@pytest.mark.slow
@real
@pytest.mark.parametrize("about", SUBJECTS)
def test_the_real_kernel_agrees_with_the_cases_of_other_subjects(about):
    with opened("both") as lab:
        for question in questions(lab, 5, 5, about):
            assert question.shown.verdict.ok, question.shown.verdict.difference
