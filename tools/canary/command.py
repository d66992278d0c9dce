"""`questlog canary`: play a campaign full of canaries, and look for them where they must not be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tools.options import json_option, option
from tools.play import progress

if TYPE_CHECKING:
    from questlog.campaign.visibility import Rules
    from tools.canary.flight import Outcome
    from tools.render import Output

SHOWN = 50


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@option("--seed", type=int, help="Chance is repeated by it; a new one, and printed, if not given.")
@option("--steps", type=click.IntRange(min=0), default=0, help="At most so many of FILE; 0: all.")
@option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Visibility rules as JSON, in force all the time.",
)
@option(
    "--random",
    "campaigns",
    type=click.IntRange(min=0),
    default=0,
    help="Play so many small campaigns made up at random, instead of FILE.",
)
@json_option
def canary(
    file: Path | None,
    seed: int | None,
    steps: int,
    rules: Path | None,
    campaigns: int,
    as_json: bool,
) -> None:
    """Prove that nobody is sent what they must not see, with the recorded campaign in FILE.

    Unmistakable strings are planted in it; it is played on a server of its own, on this machine, to
    viewers of every kind, who come and go, claim positions that are not theirs, change roles and
    make calls that are not for them. They follow by sockets, streams and polls, by turns. On the
    way there are suggestions and private answers, signals for some, narrations in hidden places,
    and a player whom the rules hide. Every byte they are sent is searched. Without FILE the demo's
    evening is played. Without --rules these change on the way.

    Exit status 1 says that something was found.
    """
    import random
    import sys

    from server.process import run
    from tools.canary.flight import fly_random, fly_recording
    from tools.demo import recording_path
    from tools.render import Output

    if campaigns and (file or steps or rules):
        raise click.UsageError("--random makes campaigns up: it takes no FILE, --steps or --rules.")
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    output = Output()
    if as_json:
        output.json({"seed": seed})
    else:
        output.line(f"seed {seed}")
    output.flush()
    shown = sys.stderr.isatty() and not as_json
    with progress((campaigns or None) if shown else None) as on_step:
        if campaigns:
            outcome = run(fly_random(campaigns, seed, on_campaign=on_step))
        else:
            given = None if rules is None else read_rules(rules)
            path = file or recording_path()
            outcome = run(fly_recording(path, seed, most=steps, rules=given))
    _print(output, outcome, as_json)
    if outcome.findings:
        raise click.exceptions.Exit(1)


def read_rules(path: Path) -> Rules:
    """Return the visibility rules in a JSON file.

    Raises:
        click.UsageError: it holds none.
    """
    import msgspec

    from questlog.campaign.errors import Invalid
    from questlog.campaign.visibility import Rules, check_rules

    try:
        rules = msgspec.json.decode(path.read_bytes(), type=Rules)
        check_rules(rules)
    except (msgspec.DecodeError, Invalid) as error:
        raise click.UsageError(f"{path} holds no visibility rules: {error}") from error
    return rules


def _print(output: Output, outcome: Outcome, as_json: bool) -> None:
    import msgspec

    tally = msgspec.structs.asdict(outcome.tally)
    if as_json:
        for finding in outcome.findings:
            output.json(finding)
        output.json({"findings": len(outcome.findings), **tally})
        return
    for finding in outcome.findings[:SHOWN]:
        members = msgspec.structs.asdict(finding)
        rest = [f"{name} {value}" for name, value in members.items() if value and name != "code"]
        output.line((f"{finding.code}: ", "red"), ", ".join(rest).replace("_", " "))
    if len(outcome.findings) > SHOWN:
        output.line(f"and {len(outcome.findings) - SHOWN} more")
    counted = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in tally.items())
    word = "Something was found" if outcome.findings else "Nothing leaked"
    output.line((f"{word}: ", "red" if outcome.findings else "green"), counted)
