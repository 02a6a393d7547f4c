"""A form as a page to be typeset: labels and values in their places. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from services.notify.forms import layout
from services.notify.forms.child import Child
from services.notify.forms.kinds import NEVER, FormKind
from services.notify.forms.schemas import Dcf737, Dcf823
from services.notify.forms.titles import part_of, title_of
from services.notify.forms.wording import day, humanised, worded
from shared.typesetting.fonts import is_right_to_left, numbers_in, printable

Page = dict[str, Any]
_DAYS = frozenset({"date_of_birth", "victimised_on"})
_WIDE = 56
_WORD = 17
"""What is longer, or has a longer word, stands over the whole width."""
_HYPHEN = re.compile(r"(?<=[a-z\u00c0-\u04ff])-(?=[a-z\u00c0-\u04ff])", re.IGNORECASE)
"""Where a line may end within a word; not so in Hebrew or a number."""
_KEPT = "\u00a0"
"""Keeps a label and the first word of what it labels on one line."""
_ISOLATE, _END = "\u2068", "\u2069"


def page(form: Dcf737 | Dcf823) -> Page:
    """What the template takes: texts only, each of them printable."""
    body = {**_above(form), **_legal(form), **_about_child(form)}
    if numbers_in(str(body)):
        body["notes"].append(layout.NUMBERED)
    return body


def _above(form: Dcf737 | Dcf823) -> Page:
    kind = FormKind(form.kind)
    heading, statement = layout.STATEMENTS[kind]
    return {
        "form": form.form,
        "title": layout.TITLES[form.form],
        "layout": f"Layout {form.form_version}",
        "kind": heading,
        "statement": statement.format(supersedes=form.supersedes),
        "since": f"What changed since version {form.supersedes}.",
        "changes": " ".join(_changes(form)) if kind is FormKind.CORRECTION else "",
        "head": [_fact(label, value) for label, value in _head(form)]
        + [{**_fact(label, value), "small": True} for label, value in _references(form)],
        "foot": f"{form.form} · {heading} · version {form.version}",
        "reference": printable(f"{form.referral_number} · {form.notice_id}"),
    }


def _legal(form: Dcf737 | Dcf823) -> Page:
    return {
        "legal": [_fact("Authority", form.authority), _fact("Purpose", form.purpose)],
        "confidentiality": printable(form.confidentiality),
        "redisclosure": printable(form.redisclosure),
    }


def _about_child(form: Dcf737 | Dcf823) -> Page:
    parts = [each for each in _parts(form) if each["short"] or each["long"]]
    if form.child is None:
        return {"safety": [], "safety_changed": False, "sections": parts, "notes": []}
    changed = {each.field for each in form.changes or ()}
    return {
        "safety": _paragraphs(form.child.officer_safety_notes or ""),
        "safety_changed": layout.SAFETY in changed,
        "sections": parts + list(_sections(form.child, changed)),
        "notes": [layout.UNSTATED],
    }


def document_title(form: Dcf737 | Dcf823) -> str:
    """For the PDF's metadata: nobody's name, no number."""
    heading = layout.STATEMENTS[FormKind(form.kind)][0]
    return f"Form {form.form}: {heading}, version {form.version}"


def _head(form: Dcf737 | Dcf823) -> Iterator[tuple[str, str]]:
    to = form.recipient
    role = worded("role", to.role)
    yield "For", f"{to.name}, {role}" if to.name else role
    yield "Report received by DCF", worded("received_at", form.received_at)
    yield "Triggered by", worded("trigger", form.trigger)
    yield "Referral", form.referral_number
    replaces = "" if form.supersedes is None else f" (after version {form.supersedes})"
    revision = "" if form.revision is None else f", revision {form.revision}"
    yield "Version", f"{form.version}{revision}{replaces}"


def _references(form: Dcf737 | Dcf823) -> Iterator[tuple[str, str]]:
    yield "Recipient's reference", form.recipient.agency_id
    yield "Notice", form.notice_id
    if form.child is not None:
        yield "Child's reference", form.child.child_id


def _changes(form: Dcf737 | Dcf823) -> Iterator[str]:
    """What changed since, a sentence for each way of changing."""
    if form.changes is None:
        yield "What changed is not listed: compare with the version that you hold."
        return
    for way in ("added", "changed", "removed"):
        fields = [each.field for each in form.changes if each.change == way]
        if fields:
            yield f"{humanised(way)}: " + "; ".join(_named(fields)) + "."
    if not form.changes:
        yield "Nothing in your copy changed."


def _named(fields: Sequence[str]) -> Iterator[str]:
    """Paths as titles, those of one list together: `Suspected persons (Phone, Age)`."""
    for group, paths in groupby(sorted(fields), key=lambda path: path.partition(".")[0]):
        inner = [path.partition(".")[2] for path in paths if "." in path]
        names = ", ".join(title_of(part_of(Child, group), name) for name in inner)
        yield title_of(Child, group) + (f" ({names})" if names else "")


def _parts(form: Dcf737 | Dcf823) -> Iterator[Page]:
    """What the kind itself is about."""
    if isinstance(form, Dcf823):
        yield _section_of("The incident", form.incident)
        return
    for title, part in (
        ("The withdrawal", form.withdrawal),
        ("The recall", form.recall),
        ("The consult", form.consult),
        ("What was told before", form.related),
    ):
        if part is not None:
            yield _section_of(title, part)


def _section_of(title: str, part: BaseModel) -> Page:
    facts = [
        {**_fact(title_of(type(part), name), worded(name, value)), "small": name.endswith("_id")}
        for name, value in _held(part)
    ]
    return {
        "title": title,
        "short": [fact for fact in facts if not _is_wide(fact)],
        "long": [_over_the_width(fact) for fact in facts if _is_wide(fact)],
    }


def _sections(child: Child, changed: set[str]) -> Iterator[Page]:
    held = dict(_held(child))
    listed = {"child_id", layout.SAFETY}
    for section in layout.SECTIONS:
        listed.update(section.short, section.long)
        yield from _section(section, held, changed)
    others = tuple(name for name in held if name not in listed)
    yield from _section(layout.Section("Other particulars", (), others), held, changed)


def _section(section: layout.Section, held: Mapping[str, Any], changed: set[str]) -> Iterator[Page]:
    short = [_child_fact(name, held[name], changed) for name in section.short if name in held]
    long = [_long(name, held[name], changed) for name in section.long if name in held]
    wide = [_over_the_width(fact) for fact in short if _is_wide(fact)]
    if short or long:
        yield {
            "title": section.title,
            "short": [fact for fact in short if not _is_wide(fact)],
            "long": wide + long,
        }


def _child_fact(name: str, value: Any, changed: set[str]) -> Page:
    if name in _DAYS:
        words = day(value)
    elif name == "address_confidential" and value:
        words = layout.SUBSTITUTE
    else:
        words = worded(name, value)
    return {**_fact(title_of(Child, name), words), "changed": name in changed}


def _long(name: str, value: Any, changed: set[str]) -> Page:
    touched = any(each == name or each.startswith(f"{name}.") for each in changed)
    items = value if isinstance(value, list) else [value]
    if any(isinstance(each, dict) for each in items):
        model = part_of(Child, name)
        paragraphs = [_entry(model, number, each) for number, each in enumerate(items, 1)]
    else:
        paragraphs = _paragraphs(worded(name, value))
    return {"label": title_of(Child, name), "paragraphs": paragraphs, "changed": touched}


def _entry(model: type[BaseModel] | None, number: int, entry: Any) -> Page:
    """A person or a place, as one paragraph: `1. Name: …; Phone: …`."""
    facts = entry.items() if isinstance(entry, dict) else [("entry", entry)]
    said = [
        f"{title_of(model, name)}:{_KEPT}{_isolated(printable(worded(name, value)))}"
        for name, value in facts
        if name not in NEVER and value not in (None, "", [])
    ]
    return {"text": f"{number}. " + "; ".join(said).replace("\n", " "), "rtl": False}


def _fact(label: str, value: str) -> Page:
    return {"label": label, "value": _isolated(printable(value)), "changed": False, "small": False}


def _is_wide(fact: Page) -> bool:
    value: str = fact["value"]
    if fact["small"]:
        return False
    return len(value) > _WIDE or "\n" in value or _longest_word(value) > _WORD


def _longest_word(value: str) -> int:
    longest = max(map(len, value.split()), default=0)
    if longest > _WORD and "-" in value:
        return max(map(len, _HYPHEN.sub("- ", value).split()))
    return longest


def _over_the_width(fact: Page) -> Page:
    value = fact["value"].strip(_ISOLATE + _END)
    paragraphs = [{"text": each, "rtl": is_right_to_left(each)} for each in value.split("\n")]
    return {"label": fact["label"], "paragraphs": paragraphs, "changed": fact["changed"]}


def _paragraphs(text: str) -> list[Page]:
    lines = (line for line in printable(text).split("\n") if line.strip())
    return [{"text": line, "rtl": is_right_to_left(line)} for line in lines]


def _isolated(text: str) -> str:
    """Right-to-left text in a left-to-right line must not take its neighbours along (UAX 9)."""
    return text if text.isascii() else f"{_ISOLATE}{text}{_END}"


def _held(part: BaseModel) -> Iterator[tuple[str, Any]]:
    """The members that say something, those that we do not know yet included."""
    for name, value in part.model_dump(exclude_none=True).items():
        if name not in NEVER and value not in ("", [], {}):
            yield name, value


def timestamp(form: Dcf737 | Dcf823) -> datetime:
    """For the PDF's metadata: what the form itself says, so that equal forms are equal bytes."""
    return form.received_at
