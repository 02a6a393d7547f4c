"""The forms on paper, as a reader of the PDF finds them."""

import json
import re
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import typst
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.notify.forms import layout
from services.notify.forms.child import Child
from services.notify.forms.kinds import NEVER
from services.notify.forms.page import page
from services.notify.forms.schemas import read
from services.notify.forms.typesetting import Typesetter, render
from services.notify.forms.wording import CODED, day, label, moment
from shared.typesetting.fonts import FOLDER, is_right_to_left, printable
from tests.support.forms import EXAMPLES, example, missing, of_child, pages, squeezed, words

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCRIPTS = {
    "vietnamese": "Nguyễn Thử-Nghiệm Đặng",
    "ukrainian": "Приклад Синтетична-Дитина Ґ",
    "greek": "Παράδειγμα Συνθετικό",
    "chinese": "示例 合成孩子",
    "japanese": "れい サンプル 合成",
    "korean": "예시 합성아동",
    "arabic": "مثال طفلة اصطناعية",
    "persian": "نمونه می‌گوید پچژگ",
    "urdu": "مثال ٹڈڑے ہیں",
    "hebrew": "דוגמה ילדה סינתטית",
    "hindi": "उदाहरण कृत्रिम बच्ची",
    "bengali": "উদাহরণ কৃত্রিম শিশু",
    "gujarati": "ઉદાહરણ કૃત્રિમ બાળક",
    "punjabi": "ਉਦਾਹਰਨ ਨਕਲੀ ਬੱਚਾ",
    "tamil": "உதாரணம் செயற்கை",
    "telugu": "ఉదాహరణ కృత్రిమ",
    "kannada": "ಉದಾಹರಣೆ ಕೃತಕ",
    "malayalam": "ഉദാഹരണം കൃത്രിമ",
    "sinhala": "උදාහරණ කෘතිම",
    "thai": "ตัวอย่าง เด็กสังเคราะห์",
    "lao": "ຕົວຢ່າງ ເດັກ",
    "khmer": "ឧទាហរណ៍ កុមារ",
    "burmese": "ဥပမာ ကလေး",
    "amharic": "ምሳሌ ሰው ሠራሽ",
    "armenian": "Օրինակ Սինթետիկ",
    "georgian": "მაგალითი სინთეზური",
}


def _inflated(pdf: bytes) -> bytes:
    """The PDF and what its compressed streams hold."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, flags=re.DOTALL)
    held = [pdf]
    for stream in streams:
        try:
            held.append(zlib.decompressobj().decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(held)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_fits_one_page_and_says_whose_it_is_and_by_what_right(path: Path) -> None:
    form = json.loads(path.read_text())
    pdf = render(path.read_bytes())
    assert pages(pdf) == 1
    for name in ("form", "notice_id", "referral_number", "authority", "purpose", "confidentiality"):
        assert missing(form[name], pdf) == [], name
    assert missing(form["redisclosure"] + form["recipient"]["name"], pdf) == []
    assert missing(f"version {form['version']} Page 1 of 1 CONFIDENTIAL", pdf) == []


def test_every_page_of_many_has_its_number_and_whose_it_is() -> None:
    pdf = render(of_child({"reasons_for_suspicion": "He said so, again and again. " * 600}))
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) > 2
    for number, each in enumerate(document, 1):
        text = each.get_textpage().get_text_bounded()
        assert f"Page {number} of {len(document)}" in text
        assert "CONFIDENTIAL" in text
        assert example()["notice_id"] in text


def test_c24_the_worst_of_six_is_printed_whole() -> None:
    """A long narrative, eight suspected persons, names in Arabic and Chinese, every field."""
    form = example("worst")
    form["child"]["new_field"] = {"inner": "a value that no version of the form knows"}
    pdf = render(json.dumps(form))
    assert pages(pdf) == 3
    for name in ("name", "reasons_for_suspicion", "nature_and_extent", "parents", "new_field"):
        for said in _printed(name, form["child"][name]):
            assert missing(said, pdf) == [], name


@pytest.mark.parametrize("name", ["worst", "dcf-737.original", "dcf-737.correction"])
def test_p4_what_partners_are_shown_is_what_a_copy_can_hold(name: str) -> None:
    """Of the police's profile, and no home beside an address that is confidential."""
    child = example(name)["child"]
    path = Path("services/intake/profiles.yaml")
    allowed = set(yaml.safe_load(path.read_text("utf-8"))["profiles"]["law_enforcement"])
    shown = {f"{part}.{key}" for part in child for each in _parts(child[part]) for key in each}
    shown |= {part for part in child if not _parts(child[part])}
    assert shown <= allowed | {"child_id"}
    if child.get("address_confidential"):
        assert not {"residence_town", "facility"} & child.keys()
        assert not any("address" in each for each in child.get("parents", []))


def _parts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def test_equal_forms_are_equal_bytes_in_any_process() -> None:
    form = of_child({"name": "Test Child One", "current_location": SCRIPTS["arabic"]})
    first = render(form)
    render(of_child({"name": "Another Test Child"}))
    assert render(form) == first
    assert Typesetter().pdf(read(form)) == first


def test_it_is_tagged_and_names_nobody_outside_its_pages() -> None:
    """P5: not in the metadata; the file's name is the caller's."""
    pdf = render(of_child({"name": "Testchild Canary", "officer_safety_notes": "canary"}))
    document = pypdfium2.PdfDocument(pdf)
    assert document.get_metadata_dict()["Title"] == "Form DCF-737: Original notice, version 1"
    assert document.get_metadata_dict()["Author"] == ""
    held = _inflated(pdf)
    assert b"pdfuaid:part" in held
    assert b"/StructTreeRoot" in held
    assert b"canary" not in held.lower(), "texts are glyphs; what is in clear is metadata"


def test_a_correction_says_what_changed_and_marks_it() -> None:
    pdf = render(json.dumps(example("dcf-737.correction")))
    text = " ".join(words(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded()))
    assert "Added Other concerns for the child" in text
    assert "Changed Where the child is now Address Suspected persons Phone" in text
    assert "Removed Previous injuries or maltreatment" in text
    assert text.count("CHANGED") == 4
    assert missing("Replaces version 1 as a whole", pdf) == []


def test_a_correction_whose_changes_are_not_known_says_so() -> None:
    form = example("dcf-737.correction")
    del form["changes"]
    assert missing("What changed is not listed", render(json.dumps(form))) == []


def test_c25_a_protected_address_is_said_to_be_one() -> None:
    pdf = render(of_child({"address_confidential": True}))
    assert missing("Address Confidentiality Program the real one is not in this notice", pdf) == []


def test_every_field_of_a_child_has_one_place() -> None:
    places = [name for section in layout.SECTIONS for name in (*section.short, *section.long)]
    assert sorted([*places, layout.SAFETY, "child_id"]) == sorted(Child.model_fields)


_typed = st.text(
    st.one_of(
        st.characters(
            min_codepoint=0x20, max_codepoint=0x17F, exclude_categories=["Cc", "Cf", "No"]
        ),
        st.sampled_from("示例合成孩子مثالطفلةПример예시"),
    ),
    min_size=1,
    max_size=60,
).filter(str.strip)
_code = st.sampled_from(["hotel_motel_based", "careline", "female", "later_code", "dcf_care"])
_day = st.dates().map(str)
_moment = st.dates(date(2026, 1, 1), date(2026, 12, 31)).map(lambda day: f"{day}T04:05:06Z")


def _for(name: str) -> st.SearchStrategy[Any]:
    if name in ("venues", "race_ethnicity", "person_roles"):
        return st.lists(_code, min_size=1, max_size=3)
    if name == "incident_towns":
        return st.lists(_typed, min_size=1, max_size=3)
    if name in ("date_of_birth", "victimised_on"):
        return _day
    if name in ("missing_since", "occurred_at"):
        return _moment
    if name in ("age_years", "age_at_victimisation"):
        return st.integers(0, 120)
    if Child.model_fields[name].annotation == bool | None if name in Child.model_fields else False:
        return st.booleans()
    if name in ("parents", "suspected_persons", "suspected_minor_victims", "incident_places"):
        inner = ("name", "phone", "person_roles", "relationship", "later")
        if name == "incident_places":
            inner = ("kind", "town", "occurred_at", "description", "later")
        return st.lists(_some(inner), min_size=1, max_size=3)
    return _code if name in CODED else _typed


def _some(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: _for(name) for name in names})


_children = _some((*(name for name in Child.model_fields if name != "child_id"), "later"))


def _printed(name: str, value: Any) -> list[str]:
    """What a reader must find of a field, said here anew."""
    if isinstance(value, dict):
        return [each for inner, held in value.items() for each in _printed(inner, held)]
    if isinstance(value, list):
        return [each for held in value for each in _printed(name, held)]
    if isinstance(value, bool):
        return ["Yes" if value else "No"]
    if name in ("date_of_birth", "victimised_on"):
        return [day(value)]
    if name in ("missing_since", "occurred_at"):
        return [moment(read(of_child({"missing_since": value})).child.missing_since)]  # type: ignore
    return [label(name, value) if name in CODED else str(value)]


@FEW
@given(_children)
def test_p4_every_field_of_the_projection_is_on_the_page(child: dict[str, Any]) -> None:
    pdf = render(of_child(child))
    for name, value in child.items():
        for said in _printed(name, value):
            assert missing(said, pdf) == [], name


@FEW
@given(_children, st.lists(st.sampled_from([*NEVER]), min_size=1, unique=True))
def test_p4_no_page_tells_of_a_reporter_siblings_or_recipients(
    child: dict[str, Any], never: list[str]
) -> None:
    planted = {name: [{"name": "Canary4711", "inner": "Canary4711"}] for name in never}
    within = {"parents": [{"name": "Test Parent", **dict.fromkeys(never, "Canary4711")}]}
    assert "Canary4711" not in squeezed(render(of_child({**child, **planted, **within})))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_name_in_any_of_these_scripts_is_printed_whole(script: str) -> None:
    name = SCRIPTS[script]
    assert "[U+" not in printable(name)
    pdf = render(of_child({"name": name, "parents": [{"name": name}]}))
    assert "[U+" not in squeezed(pdf)


@pytest.mark.parametrize("script", ["arabic", "urdu", "hebrew", "chinese", "korean", "ukrainian"])
def test_such_a_name_can_be_read_and_copied_from_the_page(script: str) -> None:
    pdf = render(of_child({"name": SCRIPTS[script]}))
    assert missing(SCRIPTS[script], pdf) == []


def test_a_missing_glyph_would_be_refused_and_not_left_out() -> None:
    """What the next tests stand on: PDF/UA allows no missing glyph, and typst holds to it."""
    fonts = typst.Fonts(False, False, [str(FOLDER)])
    source = '#set document(title: "t")\n#set text(font: "Noto Sans")\n\U0002a6d6'.encode()
    with pytest.raises(typst.TypstError):
        typst.Compiler(font_paths=fonts).compile(input=source, format="pdf", pdf_standards=["ua-1"])


@FEW
@given(st.text(min_size=1, max_size=200).filter(str.strip))
def test_no_text_at_all_leaves_a_glyph_missing(text: str) -> None:
    assert pages(render(of_child({"name": text, "reasons_for_suspicion": text})))


@pytest.mark.parametrize(
    "point", ["\U0002a6d6", "\U0001f600", "\ue000", "\u202e", "\u0007", "\u0378"]
)
def test_what_cannot_be_printed_is_printed_as_its_number(point: str) -> None:
    pdf = render(of_child({"name": f"Test{point}Child"}))
    assert f"Test[U+{ord(point):04X}]Child" in squeezed(pdf)
    assert missing("stands for a character that this printer has no type for", pdf) == []


def test_marks_that_no_font_can_draw_on_that_letter_are_numbers() -> None:
    assert printable("e\u0301") == "é"
    assert printable("王\u0915\u093e") == "王का"
    assert printable("王\u093e") == "王[U+093E]"


@pytest.mark.parametrize("text", ['"', "\\", '\\"', "#panic()", "$x$ *b* _i_ @a <b>", "= x\n- y"])
def test_text_is_text_and_never_markup(text: str) -> None:
    pdf = render(of_child({"name": f"a{text}b", "reasons_for_suspicion": f"a{text}b"}))
    assert re.sub(r"\s", "", f"a{text}b") in squeezed(pdf)


def test_a_web_address_breaks_instead_of_running_off_the_page() -> None:
    address = "https://example.invalid/" + "abcdefgh" * 40
    pdf = render(of_child({"reasons_for_suspicion": address, "name": "W" * 100}))
    assert address in squeezed(pdf)
    text = pypdfium2.PdfDocument(pdf)[0].get_textpage()
    boxes = [text.get_rect(index) for index in range(text.count_rects())]
    assert max(right for _, _, right, _ in boxes) < 612 - 40


@pytest.mark.parametrize(
    ("text", "right"), [("مثال Test", True), ("Test مثال", False), ("1 דוגמה", True), ("12", False)]
)
def test_a_paragraph_runs_as_its_first_letter_does(text: str, right: bool) -> None:
    assert is_right_to_left(text) is right


def test_a_right_to_left_name_takes_nothing_along_that_stands_after_it() -> None:
    body = page(read(of_child({"parents": [{"name": "مثال (ب)", "phone": "203-555-0100"}]})))
    paragraph = body["sections"][0]["long"][0]["paragraphs"][0]["text"]
    assert paragraph == "1. Name:\u00a0\u2068مثال (ب)\u2069; Phone:\u00a0203-555-0100"


@pytest.mark.parametrize("name", ["Приклад Синтетическая-Дитина", "Example Synthetic-Childhood"])
def test_a_name_that_breaks_at_its_hyphen_stays_first(name: str) -> None:
    body = page(read(of_child({"name": name, "age_years": 15})))
    assert [fact["label"] for fact in body["sections"][0]["short"]] == ["Name", "Age"]


def test_a_long_word_without_a_break_stands_over_the_whole_width() -> None:
    body = page(read(of_child({"facility": "x" * 18, "case_number": "1-" * 9 + "1"})))
    assert len(body["sections"][0]["long"]) == 2
