"""Ask a process on this host how it is; the exit code is the answer. For health checks.

python -m deploy.probe PORT [PATH]     PATH is /readyz unless it is said
"""

import sys
import urllib.error
import urllib.request

_PATIENCE = 4.0


def main(argv: list[str]) -> int:
    """0: it answers 200. 1: another answer, or none; what was said is printed."""
    port, path = argv[0], argv[1] if len(argv) > 1 else "/readyz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{int(port)}{path}", timeout=_PATIENCE) as answer:
            return int(answer.status != 200)
    except urllib.error.HTTPError as error:
        with error:
            print(error.read(2000).decode(errors="replace"))
    except OSError as error:
        print(f"No answer: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
