"""The `questlog` command: a group whose commands are imported only when they are run."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

INTERRUPTED = 130

# What a command does stands here too, so that `--help` need not import the commands.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "serve": ("tools.serve:serve", "Serve the campaigns of a store."),
        "token": ("tools.access:token", "Print a token for a seat at a campaign."),
        "invite": ("tools.access:invite", "Print a link that seats whoever opens it."),
        "invites": ("tools.access:invites", "List the invites to a campaign, or revoke one."),
        "members": ("tools.members:members", "List, add and remove members, and set roles."),
        "forget": ("tools.forgetting:forget", "Forget a person: name, tokens, invites, presence."),
        "keys": ("tools.access:keys", "List the keys that sign tokens, or rotate them."),
        "play": ("tools.play:play", "Perform a recorded campaign on a server."),
        "watch": ("tools.watch:watch", "Follow a campaign as a player and print each change."),
        "top": ("tools.top:top", "Show who is at which campaign, and how far behind."),
        "demo": ("tools.demo.command:demo", "Serve and perform the demo campaign, and show it."),
        "campaigns": ("tools.reading:campaigns", "List the campaigns of a store."),
        "log": ("tools.log:log", "Print a campaign's events."),
        "tail": ("tools.log:tail", "Print a campaign's last events, and go on with -f."),
        "show": ("tools.reading:show", "Print one event whole."),
        "sessions": ("tools.sessions:sessions", "List a campaign's sessions, and who was there."),
        "recap": ("tools.sessions:recap", "Print what a player missed, as they may see it."),
        "state": ("tools.reading:state", "Print a campaign's document, at any version."),
        "diff": ("tools.reading:diff", "Print what changed between two versions."),
        "replay": ("tools.replay:replay", "Show a log again, as it was written and as any saw it."),
        "rewind": ("tools.changing:rewind", "Bring an earlier version back, by one more event."),
        "fork": ("tools.changing:fork", "Go on from a version in a campaign of its own."),
        "blame": (
            "tools.looking:blame",
            "Say which events last changed a value and those below.",
        ),
        "history": ("tools.looking:history", "Print every value that was at a place."),
        "bisect": ("tools.looking:bisect", "Find the first version at which a condition holds."),
        "grep": ("tools.grep:grep", "Print the events that a pattern is found in."),
        "stats": ("tools.grep:stats", "Count events by kind, actor, day and place."),
        "canary": ("tools.canary.command:canary", "Prove that nobody is sent what is hidden."),
        "export": ("tools.transfer:export", "Print a campaign's log as lines, for import."),
        "import": ("tools.transfer:import_", "Bring an exported log into a store."),
        "backup": ("tools.backup:backup", "Copy a store while it is served, and prove the copy."),
        "restore": (
            "tools.backup:restore",
            "Make a store from a backup: whole, or as of a moment.",
        ),
        "verify": ("tools.maintenance:verify", "Prove that nothing in a store is damaged."),
        "completion": ("tools.completion:completion", "Print what makes a shell complete words."),
        "doctor": ("tools.doctor:doctor", "Say what is wrong with a store, and repair it."),
        "migrate": ("tools.maintenance:migrate", "Take a store's schema up to this release's."),
    }
)


class LazyGroup(click.Group):
    """Finds its commands by name in COMMANDS, and turns known errors into exit statuses.

    0 done, 1 the answer is no, 2 wrong usage, 130 interrupted; a closed pipe ends quietly.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, importing its module; None where there is none."""
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        module, _, attribute = found[0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what may stand next for a shell, from the table alone."""
        found = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it refuses is one line on standard error, not a traceback."""
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            ctx.color = False
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The interpreter flushes once more at exit, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.ClickException("There is no room for the output.") from error
        except Exception as error:
            if not _is_answer(error):
                raise
            raise click.ClickException(str(error)) from error
        return result


def _is_answer(error: Exception) -> bool:
    """Return whether this error is a refusal meant for a person."""
    from eventstore.errors import StoreError
    from questlog.campaign.errors import Rejection

    return isinstance(error, StoreError | Rejection)


def start() -> None:
    """Run the command with all three standard streams there, be it with nothing behind them.

    A process started without one would open its sockets and its store in the stream's place.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115 - it lasts as long as the process
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115
    main(prog_name="questlog")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="questlog", message="%(version)s")
def main() -> None:
    """Keep the state of a tabletop campaign as an event log, with live replicas."""
