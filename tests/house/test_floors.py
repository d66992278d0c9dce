"""The house keeps its rules, and each check is shown a source that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import floors

ROOT = Path(__file__).resolve().parents[2]
FUTURE = "from __future__ import annotations\n"
LONG_BODY = "    x = 1\n" * floors.MAX_FUNCTION_LINES
UNFINISHED = "TO" + "DO"

Check = Callable[[Path], list[str]]

CHECKS: tuple[Check, ...] = (
    floors.broken_floors,
    floors.impure_library,
    floors.oversized,
    floors.without_future,
    floors.forbidden_words,
    floors.work_at_import,
)

OFFENCES: tuple[tuple[Check, str, str], ...] = (
    (floors.broken_floors, "questlog/document/a.py", "from questlog.campaign import events"),
    (floors.broken_floors, "questlog/document/a.py", "from questlog import campaign"),
    (floors.broken_floors, "questlog/document/a.py", "from ..sync import messages"),
    (floors.broken_floors, "questlog/document/a.py", "import questlog"),
    (floors.broken_floors, "questlog/campaign/a.py", "import questlog.sync.messages"),
    (floors.broken_floors, "questlog/sync/a.py", "from questlog.client import CampaignClient"),
    (floors.broken_floors, "questlog/sync/a.py", "def f():\n    import eventstore\n"),
    (floors.broken_floors, "questlog/client/client.py", "import eventstore"),
    (floors.broken_floors, "eventstore/a.py", "from questlog.sync import messages"),
    (floors.broken_floors, "eventstore/a.py", "from server.app import make_app"),
    (floors.broken_floors, "migrations/__init__.py", "import eventstore"),
    (floors.broken_floors, "server/a.py", "import tools.cli"),
    (floors.broken_floors, "tools/a.py", "from tests.house import floors"),
    (floors.impure_library, "questlog/__init__.py", "import asyncio"),
    (floors.impure_library, "questlog/sync/a.py", "from os import path"),
    (floors.impure_library, "questlog/sync/a.py", "from urllib import request"),
    (floors.impure_library, "questlog/sync/client.py", "import time"),
    (floors.impure_library, "questlog/document/a.py", "def f():\n    print(1)\n"),
    (floors.impure_library, "questlog/broadcast/turns.py", "import asyncio"),
    (floors.oversized, "server/a.py", "# line\n" * (floors.MAX_FILE_LINES + 1)),
    (floors.oversized, "tests/a/test_a.py", "def f():\n" + LONG_BODY),
    (floors.oversized, "bench/a.py", "class A:\n  async def f(self):\n" + LONG_BODY),
    (floors.without_future, "tools/a.py", '"""Doc."""\nimport os\n'),
    (floors.forbidden_words, "docs/a.md", f"# Notes\n\n{UNFINISHED}: write this\n"),
    (floors.forbidden_words, "web/a.py", f"# {UNFINISHED}\n"),
    (floors.work_at_import, "server/a.py", "print('hello')"),
    (floors.work_at_import, "server/a.py", "LOG = structlog.get_logger()"),
    (floors.work_at_import, "server/a.py", "LIVE = {}"),
    (floors.work_at_import, "server/a.py", "LIVE: dict[str, int] = {}"),
    (floors.work_at_import, "server/a.py", "NAMES = ('a', [])"),
    (floors.work_at_import, "server/a.py", "NAMES = 'a b'.split()"),
    (floors.work_at_import, "server/a.py", "HOME = os.environ.get('HOME')"),
    (floors.work_at_import, "server/a.py", "for x in (1, 2):\n    pass\n"),
    (floors.work_at_import, "server/a.py", "if True:\n    X = 1\n"),
    (floors.work_at_import, "server/a.py", "class A: pass\nONE = A()\n"),
)

CLEAN = (
    ("questlog/document/a.py", "from questlog.document.errors import E\nfrom . import b\n"),
    ("questlog/campaign/a.py", "import questlog.document\nfrom ..document import pointer\n"),
    ("questlog/client/client.py", "import asyncio\nfrom questlog.sync import replica\n"),
    ("questlog/broadcast/http.py", "import aiohttp\nfrom questlog.document import encode\n"),
    (
        "eventstore/a.py",
        "import sqlite3\nfrom questlog.campaign import events\nimport migrations\n",
    ),
    ("server/a.py", "from questlog.sync import session\nimport eventstore.port\n"),
    ("tools/a.py", "import server.app\nimport questlog.client\n"),
    ("tools/empty.py", ""),
    ("tools/__init__.py", '"""Only a docstring."""\n'),
    ("bench/a.py", "def f():\n" + '    """Doc.\n' + "\n" * 80 + '    """\n    return 1\n'),
    (
        "server/values.py",
        "from typing import TYPE_CHECKING, Final, Mapping\n"
        "if TYPE_CHECKING:\n    import x\n"
        "class A(Struct, frozen=True): pass\n"
        "__all__ = ['A']\n"
        "ONE: Final = A(limit=3 * 1024)\n"
        "WORDS = frozenset('a b'.split())\n"
        "TABLE: Mapping[str, int] = {'a': 1}\n"
        "Json = dict[str, 'Json'] | list['Json'] | str | None\n"
        "if __name__ == '__main__':\n    main()\n",
    ),
)
BARE = frozenset({"tools/empty.py", "tools/__init__.py"})


def write(root: Path, path: str, source: str) -> None:
    """Write one module of a source tree."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(source, "utf-8")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_has_no_offenders(check: Check) -> None:
    offenders = check(ROOT)
    assert not offenders, "\n" + "\n".join(offenders)


def test_the_checks_see_the_modules_of_every_package() -> None:
    seen = {path.parts[0] for path, _ in floors.sources(ROOT, floors.CHECKED)}
    assert seen == set(floors.CHECKED)


@pytest.mark.parametrize(("check", "path", "source"), OFFENCES)
def test_each_offence_is_found_by_its_check(
    check: Check, path: str, source: str, tmp_path: Path
) -> None:
    write(tmp_path, path, source)
    offenders = check(tmp_path)
    assert len(offenders) == 1, offenders
    assert offenders[0].startswith(path)


@pytest.mark.parametrize(("path", "source"), CLEAN)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_is_allowed_offends_no_check(
    check: Check, path: str, source: str, tmp_path: Path
) -> None:
    write(tmp_path, path, source if path in BARE else FUTURE + source)
    assert check(tmp_path) == []
