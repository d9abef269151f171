from minidocker import names


def test_a_name_follows_from_the_id():
    assert names.generate("ab" * 32) == names.generate("ab" * 32)
    assert len({names.generate(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" * 4) for number in range(1, 200)}) > 20


def test_a_taken_name_gets_a_number():
    name = names.generate("1" * 64)
    assert names.generate("1" * 64, taken=[name]) == f"{name}0"
    assert names.generate("1" * 64, taken=[name, f"{name}0"]) == f"{name}1"
