"""The operations of the statistics: releases, exact figures, exports."""

from functools import partial

from services.intake.openapi import statistics_answers as answers
from services.intake.openapi.operations import Key, Operation, Takes
from services.intake.statistics.schemas import NewExport, NewRelease, Population

_RELEASE = "/v1/statistics/releases/{number}"
_EXPORT = "/v1/statistics/exports/{export_id}"
_read = partial(Operation, method="GET", tag="statistics", scopes=("statistics:read",))
_exact = partial(Operation, method="GET", tag="statistics", scopes=("statistics:exact",))
_export = partial(
    Operation, method="POST", tag="exports", scopes=("statistics:export",), person=True
)

OPERATIONS = (
    Operation(
        id="releaseStatistics",
        method="POST",
        path="/v1/statistics/releases",
        tag="statistics",
        summary="Freeze the tables of a year that is over, under the next number.",
        scopes=("statistics:release",),
        takes=Takes("NewRelease", NewRelease),
        key=Key.REQUIRED,
        status=201,
        answer=answers.StatisticsRelease,
        location=True,
        person=True,
    ),
    _read(
        id="readRelease",
        path=_RELEASE,
        summary="One release, as it was frozen. Small figures are withheld.",
        answer=answers.StatisticsRelease,
    ),
    _read(
        id="readReleaseSheet",
        path=f"{_RELEASE}/tables.csv",
        summary="The same as CSV.",
        texts=("text/csv",),
    ),
    _read(
        id="readReleasePicture",
        path=f"{_RELEASE}/picture.svg",
        summary="The same as a picture.",
        texts=("image/svg+xml",),
    ),
    _read(
        id="readRestatement",
        path=f"{_RELEASE}/restatement",
        summary="What a release shows differently from its year's published one before, and why.",
        answer=answers.ShownRestatement,
    ),
    _exact(
        id="readExactRestatement",
        path=f"{_RELEASE}/restatement/exact",
        summary="Every cell that a release restates, and how many children for which cause.",
        answer=answers.ExactRestatement,
    ),
    _read(
        id="rateTowns",
        method="POST",
        path=f"{_RELEASE}/town-rates",
        summary="Rates of a release's towns, for the child population that the caller gives.",
        takes=Takes("Population", Population),
        answer=answers.TownRates,
    ),
    _read(
        id="readYears",
        path="/v1/statistics",
        summary="Referrals by year, of each year's last published release.",
        answer=answers.ShownYears,
    ),
    _exact(
        id="readExactYears",
        path="/v1/statistics/exact",
        summary="Referrals by year, exact, as of now. Recorded first.",
        answer=answers.ExactYears,
    ),
    _read(
        id="readYear",
        path="/v1/statistics/{year}",
        summary="The last published release of a year.",
        answer=answers.StatisticsRelease,
    ),
    _exact(
        id="readExactYear",
        path="/v1/statistics/{year}/exact",
        summary="A year's exact tables as of now. Recorded first.",
        answer=answers.ExactTables,
    ),
    _export(
        id="askForExport",
        path="/v1/statistics/exports",
        summary="Ask for exact figures as a file. Another person must approve it.",
        takes=Takes("NewExport", NewExport),
        key=Key.REQUIRED,
        status=201,
        answer=answers.ExportStatus,
    ),
    _export(
        id="readExportStatus",
        method="GET",
        path=_EXPORT,
        summary="How an export stands, for who asked for it.",
        answer=answers.ExportStatus,
        person=False,
    ),
    _export(
        id="approveExport",
        path=f"{_EXPORT}/approval",
        summary="Approve somebody else's export. It holds for a day.",
        scopes=("statistics:approve",),
        answer=answers.ExportStatus,
        also=frozenset({409}),
    ),
    _export(
        id="fetchExport",
        path=f"{_EXPORT}/content",
        summary="The figures, for who asked, once another has approved. Recorded first.",
        answer=answers.ExportContent,
        texts=("text/csv",),
        also=frozenset({409}),
    ),
)
