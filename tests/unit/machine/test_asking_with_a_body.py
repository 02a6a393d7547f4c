"""`ask` takes its body where one types it, and repeats nothing of it: it may be of a child."""

import argparse
import io

import pytest

from deploy.machine import __main__ as command

BODY = '{"told_to": "Synthetic Dispatcher"}'
ASK = ["ask", "notify", "POST", "/v1/notices/ntc_1/told-orally"]


@pytest.fixture(name="asked")
def what_is_asked(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    asked: list[argparse.Namespace] = []

    def ask(arguments: argparse.Namespace) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr(command, "ask", ask)
    return asked


@pytest.mark.parametrize(
    "words",
    [
        [*ASK, BODY, "--as", "night-desk"],
        [*ASK, "--as", "night-desk", BODY],
        ["ask", "--as", "night-desk", *ASK[1:], BODY],
        [*ASK[:3], "--as", "night-desk", ASK[3], BODY],
    ],
)
def test_a_body_is_taken_before_the_name_and_after_it(
    words: list[str], asked: list[argparse.Namespace]
) -> None:
    assert command.main(words) == 0
    (arguments,) = asked
    assert (arguments.json, arguments.person, arguments.path) == (BODY, "night-desk", ASK[3])


def test_a_body_may_come_of_stdin_so_that_no_list_of_processes_shows_it(
    asked: list[argparse.Namespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(BODY))
    assert command.main([*ASK, "-", "--as", "night-desk"]) == 0
    assert asked[0].json == BODY


@pytest.mark.parametrize(
    "words",
    [
        [*ASK, BODY, BODY, "--as", "night-desk"],
        [*ASK, BODY, "--as", "night-desk", BODY],
        [*ASK, "--as", "night-desk", BODY, "--by", "x"],
        ["ask", "notify", BODY, ASK[3]],
        ["ask", BODY, "POST", ASK[3]],
        [*ASK, BODY, "--as"],
    ],
)
def test_what_cannot_be_understood_is_answered_with_the_form_and_never_with_what_was_typed(
    words: list[str], asked: list[argparse.Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "Dispatcher" not in said.out + said.err
    assert "ask SERVICE GET|POST PATH [JSON] [--as NAME]" in said.err
    assert asked == []
