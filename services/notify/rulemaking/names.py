"""One name, one content: what a version is called is what notices on record cite."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from services.notify.directory.authority import today
from services.notify.routing.rule import Rulebook
from services.notify.routing.rulebook import DCF_737, digest_of, load_rulebook
from services.notify.rulemaking import store
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.rulemaking.store import Adopted
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now


async def why_taken(session: Session, book: Rulebook, shipped: Rulebook) -> str | None:
    """What to do about a proposal's version name, if it cannot bear it. None: it can."""
    adopted = {each.version for each in await store.adopted(session)}
    if book.version in adopted:
        return "rules of this version have been adopted already; give these a new `version`"
    digests = {each.version: each.digest for each in await store.shipped(session)}
    digests[shipped.version] = shipped.digest
    if digests.get(book.version, book.digest) != book.digest:
        return (
            "Hartline came with other rules under this version; give these a `version` of their own"
        )
    return None


async def open_rulebooks(db: Database, path: Path = DCF_737) -> Rulebooks:
    """The shipped file kept by its name, and the rules in force read. Idempotent.

    Raises Misconfigured if the name has meant other rules before, or if this software does not
    take the rules that are in force or will be: both before anybody is told by them.
    """
    shipped, text = _read(path)
    books, now = Rulebooks(shipped), utc_now()
    async with db.transaction() as session:
        await store.one_at_a_time(session)
        await books.refresh(session)
        await _refuse_other_content(session, shipped, path)
        await store.keep_shipped(session, shipped.version, shipped.digest, text, now)
    _refuse_unreadable(books, now)
    return books


def _read(path: Path) -> tuple[Rulebook, str]:
    return load_rulebook(path), path.read_text(encoding="utf-8")


async def _refuse_other_content(session: Session, shipped: Rulebook, path: Path) -> None:
    known = {each.version: each.digest for each in await store.shipped(session)}
    known |= _digests(await store.adopted(session), shipped.version)
    if known.get(shipped.version, shipped.digest) != shipped.digest:
        raise Misconfigured(
            f"{path} is version {shipped.version}, and other rules are on record by that name, "
            "which notices cite. Put the file of before back, or give the changed one a new "
            "`version`."
        )


def _digests(adopted: Iterable[Adopted], version: str) -> dict[str, str]:
    return {each.version: digest_of(each.text) for each in adopted if each.version == version}


def _refuse_unreadable(books: Rulebooks, now: datetime) -> None:
    days = [today(now), *(each.effective for each in books.adopted if each.effective > today(now))]
    for day in days:
        try:
            books.read(day)
        except Misconfigured as error:
            raise Misconfigured(
                f"The rules that are in force on {day.isoformat()} lack what this version of "
                f"Hartline asks for. Start the version of before, and propose them mended.\n{error}"
            ) from None
