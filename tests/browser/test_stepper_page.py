"""The stepper's page in Chromium: forwards, backwards, by keyboard and slider, zoomed, searched, dark, narrow."""

import json

import pytest
import rights
from lab.isolation_trace import WEB, isolation_trace
from lab.sample_trace import big_trace, cow_trace

from minidocker.lab.stepper import to_html
from minidocker.lab.stepper.layout import picture
from minidocker.lab.stepper.views import VIEWS, drawing_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

COW = cow_trace()
ALL_COLUMNS = 2500  # pixels: a page so wide has a node for every column
WHITEOUT = 14  # the step's number as a reader counts


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: it is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=rights.chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def show(chromium, tmp_path):
    """Open a trace's page without a network; what it complains of is an error at the end."""
    opened, complaints, asked = [], [], []

    def go(trace=COW, *, width=1200, height=900, dark=False, calm=True, **options):
        (tmp_path / "page.html").write_text(to_html(trace, **options))
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if calm else "no-preference",
            offline=True,
        )
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector(".mds footer")
        if width > ALL_COLUMNS:
            page.add_style_tag(content="main { max-width: none !important }")
            page.wait_for_timeout(100)
        opened.append(context)
        return page

    yield go
    for context in opened:
        context.close()
    assert complaints == []
    assert all(url.startswith("file:") for url in asked)


def at(page):
    return int(page.locator(".mds-jump").input_value())


def drawn(page):
    """Return what the picture shows, without regard to what is highlighted: who serves what, and each cell."""
    return page.evaluate("""() => JSON.stringify([
      [...document.querySelectorAll(".mds-head")].map((head) => head.textContent + head.getAttribute("class")).sort(),
      [...document.querySelectorAll(".mds-cell")].map((cell) =>
        cell.getAttribute("transform") + cell.textContent + cell.getAttribute("class")).sort(),
      [...document.querySelectorAll(".mds-line")].map((line) => line.getAttribute("d")).sort(),
      document.querySelector(".mds-bytes").textContent, document.querySelector(".mds-why").textContent])""")


def words(page):
    return page.locator(".mds-cell .word").all_text_contents()


def test_forwards_and_backwards_show_the_same(show):
    page = show(width=2600)
    pictures = [drawn(page)]
    for _ in COW.steps:
        page.locator("[aria-label='Next step']").click()
        pictures.append(drawn(page))
    assert len(set(pictures)) == len(COW) + 1
    for expected in reversed(pictures[:-1]):
        page.locator("[aria-label='Previous step']").click()
        assert drawn(page) == expected
    assert at(page) == 0


def test_a_jump_shows_what_steps_lead_to(show):
    page = show(width=2600)
    page.locator(".mds-jump").fill(str(WHITEOUT))
    page.locator(".mds-jump").press("Enter")
    jumped = drawn(page)
    page.locator("[aria-label='First step']").click()
    for _ in range(WHITEOUT):
        page.locator("[aria-label='Next step']").click()
    assert drawn(page) == jumped


def test_the_page_draws_what_the_layout_says(show):
    page = show(width=2600)
    for index in (0, 8, 9, 13, 19):
        page.locator(".mds-jump").fill(str(index + 1))
        page.locator(".mds-jump").press("Enter")
        shown = picture(COW, index)
        assert sorted(words(page)) == sorted(cell["word"] for cell in shown["cells"])
        names = page.locator(".mds-head .name").all_text_contents()
        assert sorted(names) == sorted(head["label"] for head in shown["heads"])


def test_keys(show):
    page = show()
    page.locator(".mds").focus()
    steps = [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("ArrowDown", 2),
        ("ArrowUp", 1),
        ("PageDown", 11),
        ("PageUp", 1),
        ("End", len(COW)),
        ("ArrowRight", len(COW)),
        ("Home", 0),
        ("ArrowLeft", 0),
    ]
    for key, expected in steps:
        page.keyboard.press(key)
        assert at(page) == expected, key


def test_keys_are_the_search_fields_own_while_one_types(show):
    page = show()
    page.locator(".mds-search").fill("etc")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert at(page) == 0


def test_space_plays_and_pauses_and_the_caption_is_muted_meanwhile(show):
    page = show()
    page.locator(".mds").focus()
    page.keyboard.press("Space")
    assert page.locator(".mds-why").get_attribute("aria-live") == "off"
    page.locator(".mds-call[data-when=now]").wait_for()
    page.keyboard.press("Space")
    assert page.locator(".mds-why").get_attribute("aria-live") == "polite"
    assert page.locator(".mds-play").get_attribute("aria-label") == "Play"


def test_the_slider_steps_and_says_where_it_is(show):
    page = show()
    slider = page.locator("input[type=range]")
    slider.fill("10")
    assert at(page) == 10
    assert slider.get_attribute("aria-valuetext") == 'Step 10 of 20: copy_up("/keep")'
    slider.press("ArrowRight")
    assert at(page) == 11


def test_a_call_is_jumped_to_by_a_click(show):
    page = show()
    page.locator(".mds-call", has_text="EXDEV").click()
    assert (
        page.locator(".mds-call-text").text_content() == 'rename("/etc", "/e") = -1 EXDEV (Invalid cross-device link)'
    )
    assert page.locator(".mds-call[aria-selected=true]").count() == 1


def test_zoom_hides_depths_and_shows_what_they_did(show):
    page = show()
    page.locator("footer select").select_option("2")
    assert page.locator(".mds-call.depth3").count() == 0
    page.locator(".mds-call", has_text="O_APPEND").click()
    assert "copied up" in words(page)
    page.locator("footer select").select_option("0")
    assert page.locator(".mds-total").text_content() == " / 1"
    assert at(page) == 1
    assert "whiteout" in words(page)


def test_search_and_collapsed_directories(show):
    page = show(width=2600)
    assert page.locator(".mds-head.group .name", has_text="usr/…").count() == 1
    page.locator(".mds-search").fill("Europe/")
    assert page.locator(".mds-head .name").all_text_contents() == ["Berlin", "Paris", "Rome", "Vienna"]
    page.locator(".mds-search").fill("")
    page.locator(".mds-head.group", has_text="etc/…").click()
    assert "passwd" in page.locator(".mds-head .name").all_text_contents()
    page.locator("[aria-label='Collapse /etc']").click()
    assert "passwd" not in page.locator(".mds-head .name").all_text_contents()


def test_the_other_views(show):
    page = show()
    page.locator(".mds-jump").fill("8")
    page.locator(".mds-jump").press("Enter")
    for name, said in {
        "Tasks": "0.1",
        "Mounts": "overlay",
        "Containers": "cow-tour:1",
        "Output": "exit code 1",
    }.items():
        page.get_by_role("button", name=name, exact=True).click()
        assert said in page.locator(".mds-tables").text_content()
        assert page.locator(".mds-scroll").is_hidden()
    page.get_by_role("button", name="Layers", exact=True).click()
    assert page.locator(".mds-scroll").is_visible()


def test_what_can_have_the_focus_keeps_its_keys_from_jupyter_lab(show):
    page = show()
    selector = ".mds, .mds button, .mds a, .mds input, .mds select, .mds [tabindex]"
    page.locator(".mds-jump").fill("10")
    page.locator(".mds-jump").press("Enter")
    assert page.locator(selector).count() > 15
    assert page.locator(selector).evaluate_all("all => all.every((one) => one.dataset.lmSuppressShortcuts === 'true')")
    assert page.locator("button").evaluate_all("all => all.every((b) => (b.ariaLabel || b.textContent).trim())")


def contrast(page, selector):
    """Return the contrast (WCAG 2) of an element's text with the background that it lies on."""
    return page.evaluate(
        """(selector) => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const parse = (text) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
      const node = document.querySelector(selector);
      let under = node;
      while (parse(getComputedStyle(under).backgroundColor)[3] === 0) under = under.parentElement;
      const [ink, paper] = [getComputedStyle(node).color, getComputedStyle(under).backgroundColor];
      const [a, b] = [light(parse(ink)), light(parse(paper))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }""",
        selector,
    )


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_can_be_read(show, dark):
    page = show(dark=dark, comparison={"equal": True})
    page.locator(".mds-call", has_text="EXDEV").click()
    background = page.locator(".mds").evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert background == ("rgb(17, 22, 29)" if dark else "rgb(255, 255, 255)")
    for selector in (
        ".mds-sentence",
        ".mds-refs",
        ".mds-result.error",
        ".mds-badge.ok",
        ".mds-bytes",
        ".mds-who.kernel",
    ):
        assert contrast(page, selector) >= 4.5, selector


def test_jupyter_labs_theme_wins_over_the_machines(show):
    page = show(dark=True)
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert page.locator(".mds").evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [360, 600, 832, 1200, 1600])
def test_nothing_sticks_out_at_any_width(show, width):
    page = show(width=width)
    page.locator(".mds-jump").fill(str(WHITEOUT))
    page.locator(".mds-jump").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    narrow = width < 560
    assert page.locator(".mds-names").is_visible() == narrow
    assert page.locator(".mds-scroll").is_visible() != narrow


def test_a_narrow_page_tells_the_same_of_each_name(show):
    page = show(width=360)
    page.locator(".mds-jump").fill(str(WHITEOUT))
    page.locator(".mds-jump").press("Enter")
    item = page.locator(".mds-names li", has_text="/d/renamed")
    assert item.locator(".mds-status").text_content() == "✕ hidden"
    assert item.locator(".mds-chip b").all_text_contents() == ["whiteout", "4 B"]
    assert item.locator(".mds-chip.hidden").count() == 1


def test_text_stays_in_its_cell(show):
    page = show(width=2600)
    for index in range(1, len(COW) + 1):
        page.locator(".mds-jump").fill(str(index))
        page.locator(".mds-jump").press("Enter")
        wide = page.evaluate("""() => [...document.querySelectorAll(".mds-cell text, .mds-head text")]
          .filter((text) => text.getBBox().x + text.getBBox().width > 101.5).map((text) => text.textContent)""")
        assert wide == []


def test_a_copy_rises_unless_motion_is_unwanted(show):
    for calm, moves in ((True, 0), (False, 1)):
        page = show(calm=calm)
        page.locator(".mds-jump").fill("9")
        page.locator(".mds-jump").press("Enter")
        page.locator("[aria-label='Next step']").click()
        assert page.evaluate("document.getAnimations().length") == moves


def test_a_page_that_opens_at_a_step_has_it_in_view(show):
    page = show(big_trace(300, 6, 50), index=200)
    page.locator(".mds-call[data-when=now]").wait_for()
    page.wait_for_timeout(100)
    box, calls = page.locator(".mds-call[data-when=now]").bounding_box(), page.locator(".mds-calls").bounding_box()
    assert at(page) == 201
    assert calls["y"] <= box["y"] < box["y"] + box["height"] <= calls["y"] + calls["height"] + 1


def test_a_thousand_steps_of_five_hundred_names_need_few_nodes(show):
    page = show(big_trace())
    page.locator("[aria-label='Last step']").click()
    assert at(page) == 1000
    assert page.locator(".mds *").count() < 3000
    first = page.locator(".mds-head").first.get_attribute("transform")
    page.locator(".mds-scroll").evaluate("(node) => { node.scrollLeft = 30000 }")
    page.wait_for_timeout(100)
    page.locator(".mds-head .name", has_text="file").nth(12).wait_for()
    assert page.locator(".mds-head").first.get_attribute("transform") != first
    now = page.locator(".mds-call[aria-selected=true]")
    box, calls = now.bounding_box(), page.locator(".mds-calls").bounding_box()
    assert calls["y"] <= box["y"] < box["y"] + box["height"] <= calls["y"] + calls["height"] + 1


def test_while_locked_only_the_gate_shows_and_an_answer_opens_it(chromium, tmp_path):
    text = to_html(COW)
    start = text.index('<script id="trace" type="application/json">') + len(
        '<script id="trace" type="application/json">'
    )
    end = text.index("</script>", start)
    locked = json.dumps({"trace": {}, "index": -1, "zoom": 3, "locked": True, "comparison": None})
    text = (
        text[:start]
        + locked
        + text[end:].replace("stepper.render({ model", "globalThis.model = model; stepper.render({ model", 1)
    )
    (tmp_path / "locked.html").write_text(text)
    page = chromium.new_page()
    page.goto((tmp_path / "locked.html").as_uri())
    page.wait_for_selector(".mds-gate")
    assert page.locator(".mds footer").count() == 0
    assert "keep" not in page.locator("body").text_content().split("const values", 1)[0]
    page.evaluate("(trace) => { model.set('trace', trace); model.set('locked', false); }", COW.to_json())
    assert page.locator(".mds-total").text_content() == " / 20"
    assert page.locator(".mds-gate").count() == 0
    page.close()


RUN = isolation_trace()


def jump(page, number):
    page.locator(".mds-jump").fill(str(number))
    page.locator(".mds-jump").press("Enter")


def place(text):
    """Return the number, as a reader counts, of the first step that says this."""
    return next(step.index + 1 for step in RUN.steps if text in step.text)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_draws_what_its_drawing_says_forwards_and_backwards(show, view):
    page = show(RUN, view=view, index=85)
    assert page.locator(f"[data-view={view}]").get_attribute("aria-current") == "true"
    read = """() => [...document.querySelectorAll(".d-drawing > text")]
      .map((node) => node.firstChild ? node.firstChild.nodeValue : "")"""
    for _ in range(12):
        page.locator("[aria-label='Next step']").click()
    for index in (97, 96, 95, 94):
        told = [item["text"] for item in drawing_of(RUN, view, index)["items"] if item["shape"] == "text"]
        assert page.evaluate(read) == told, index
        page.locator("[aria-label='Previous step']").click()
    assert page.locator(".d-drawing desc").text_content().strip()


def test_only_views_with_something_to_show_have_a_tab(show):
    tabs = show(RUN).locator("nav button").all_text_contents()
    assert tabs == [
        "Namespaces", "Mounts", "Control groups", "Network", "States", "Tasks", "Containers", "Output",
    ]  # fmt: skip
    assert show().locator("nav button").all_text_contents()[:2] == ["Layers", "Mounts"]


def test_the_namespaces_of_a_nested_task(show):
    page = show(RUN, view="namespaces")
    jump(page, place("clone(len, SIGCHLD)"))
    numbers = page.locator(".d-number.d-now")
    assert numbers.count() == 3
    assert page.locator(".d-number.d-own.d-now").count() == 1
    assert page.locator(".d-lane.d-first").count() == 8


def test_the_frame_travels_unless_motion_is_unwanted(show):
    for calm, moves in ((True, 0), (False, 2)):
        page = show(RUN, calm=calm, view="network")
        jump(page, place("sendto("))
        page.locator("[aria-label='Next step']").click()
        assert page.evaluate("document.getAnimations().length") == moves
        assert page.locator(".d-frame").count() == 1
    assert "only the simulated kernel" in page.locator(".mds-refs").text_content()


def test_control_groups_say_what_happened(show):
    page = show(RUN, view="cgroups")
    jump(page, place("web is paused"))
    assert page.locator(".d-badge.d-frozen").count() == 1
    jump(page, place("oom_kill("))
    assert page.locator(".d-badge.d-oom").count() == 1
    assert page.locator(".d-high").count() == 1


def test_mounts_are_a_tree_for_each_namespace(show):
    page = show(RUN, view="mounts")
    jump(page, place("sethostname"))
    text = page.locator(".mds-tables").text_content()
    assert "mnt:2 · web 0.1" in text
    assert "└ /proc/sys" in text
    assert "read-only" in text
    assert WEB not in text


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_page_tells_a_view_in_words(show, view):
    page = show(RUN, width=360, view=view)
    jump(page, place("web is paused"))
    told = [line["text"] for line in drawing_of(RUN, view, place("web is paused") - 1)["lines"]]
    shown = page.locator(".mds-said li").evaluate_all("(all) => all.map((one) => one.firstChild?.nodeValue ?? '')")
    assert shown == told
    assert page.locator(".d-drawing").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", VIEWS)
def test_the_words_of_a_drawing_can_be_read(show, view, dark):
    page = show(RUN, view=view, dark=dark)
    jump(page, place("frame veth4f1c → vethb281"))
    worst = page.evaluate(
        """() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const parse = (text) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
      const boxes = [...document.querySelectorAll(".d-drawing rect:not(.d-frame)")];
      const paper = parse(getComputedStyle(document.querySelector(".mds")).backgroundColor);
      return [...document.querySelectorAll(".d-drawing > text")].filter((text) => text.textContent).map((text) => {
        const place = text.getBBox();
        let under = paper;
        for (const box of boxes) {
          const it = box.getBBox();
          const y = place.y + place.height / 2;
          if (place.x < it.x - 1 || place.x + 4 > it.x + it.width || y < it.y || y > it.y + it.height) continue;
          const style = getComputedStyle(box);
          if (style.fill === "none") continue;
          const [fill, part] = [parse(style.fill), Number(style.fillOpacity)];
          under = under.map((value, n) => n < 3 ? value * (1 - part) + fill[n] * part : 255);
        }
        const ink = light(parse(getComputedStyle(text).fill));
        const [a, b] = [ink, light(under)];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.textContent];
      }).sort((a, b) => a[0] - b[0])[0];
    }"""
    )
    assert worst[0] >= 4.5, worst
