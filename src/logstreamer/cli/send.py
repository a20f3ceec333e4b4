"""`logstreamer send`."""

from __future__ import annotations

import click

from logstreamer.cli.options import TOKEN_VARIABLE, cafile_option, verbose_option


class SendCommand(click.Command):
    """Keeps what stands behind `--` apart: click would take it for more files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split *args* at the first `--`."""
        if "--" in args:
            at = args.index("--")
            ctx.meta["command"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What can stand behind `send`."""
        return ["[OPTIONS]", "[FILE|GLOB|DIR]...", "[-- COMMAND [ARGUMENT]...]"]


@click.command(
    cls=SendCommand,
    epilog="""\b
Examples:
  logstreamer send 'runs/*/train.log' --to "http://receiver:8080/?token=..." --site hospital-a
  logstreamer send --to http://receiver:8080 --site node-7 --job job-42 -- python train.py --epochs 3
""",
)
@click.argument("sources", nargs=-1, metavar="[FILE|GLOB|DIR]...")
@click.option(
    "--to", "url", required=True, metavar="URL", envvar=["LOGSTREAMER_TO", "LOGSTREAMER_SEND_TO"],
    help="The receiver, http(s)://HOST:PORT, as `serve` prints it. [env: LOGSTREAMER_TO]",
)  # fmt: skip
@click.option(
    "--site", metavar="NAME", envvar=["LOGSTREAMER_SITE", "LOGSTREAMER_SEND_SITE"],
    help="What this side is called there; the host's name by default. [env: LOGSTREAMER_SITE]",
)  # fmt: skip
@click.option(
    "--job", default="default", show_default=True, metavar="NAME",
    envvar=["LOGSTREAMER_JOB", "LOGSTREAMER_SEND_JOB"], help="What the files belong to. [env: LOGSTREAMER_JOB]",
)  # fmt: skip
@click.option("--stop-at-eof", is_flag=True, help="Send what there is now, and end.")
@click.option(
    "--keep-open", is_flag=True,
    help="When stopped, leave the streams open, as `stopped`: the next `send` of the files continues the same copies.",
)  # fmt: skip
@click.option(
    "--token", metavar="TOKEN", envvar=TOKEN_VARIABLE,
    help=f"The receiver's, where the URL does not bring it. Better set as {TOKEN_VARIABLE}.",
)  # fmt: skip
@cafile_option
@verbose_option
@click.pass_context
def send(
    ctx: click.Context,
    sources: tuple[str, ...],
    url: str,
    site: str | None,
    job: str,
    stop_at_eof: bool,
    keep_open: bool,
    token: str | None,
    cafile: str | None,
) -> int:
    """Follow files and send every byte of them, through rotation, reconnects and restarts of either side.

    The copies lie at DEST/SITE/JOB/FILE at the receiver. A directory keeps its tree; new files in it, and new matches
    of a quoted glob, are picked up. Of two files of one name each is called by as many of its directories as it takes.
    While files are followed, app.log.1 beside app.log is its past and no file of its own, unless you name it or it
    grows; with --stop-at-eof every regular file is sent as it is.

    SIGINT, SIGTERM or a closed terminal (SIGHUP; not under nohup) sends what there is and ends; a second SIGINT or
    SIGTERM ends at once. That finishes the copies, and a later `send` begins new ones; with --keep-open, for a service
    that is restarted, it continues them.

    A site that does not allow its logs to leave sets LOGSTREAMER_REFUSE to the reason: the receiver is told that, and
    nothing is read or sent.

    Exit codes: 0 all of it is stored at the receiver, also after a signal; 1 something is not, and it says what;
    2 wrong usage; 130 or 143 ended at once by a second SIGINT or SIGTERM. With a command its own comes first.

    With `-- COMMAND` the command runs, what it prints is shown and sent as output.log, and its exit code is kept; files
    named besides are followed until it ends. Its output is a file and no terminal: Python is told not to keep lines
    back (PYTHONUNBUFFERED, unless you set it), a C program needs `stdbuf -oL`, as in `-- stdbuf -oL ./simulate`.
    """
    command = ctx.meta.get("command")
    if command is not None and not command:
        raise click.UsageError("nothing stands behind --: give the command to run", ctx)
    if not sources and command is None:
        raise click.UsageError("nothing to send: name a file, a glob or a directory, or a command behind --", ctx)
    if command is not None and stop_at_eof:
        raise click.UsageError("--stop-at-eof does not go with a command: its output ends when it does", ctx)
    if command is not None and keep_open:
        raise click.UsageError("--keep-open does not go with a command: its output ends when it does", ctx)
    from logstreamer.cli.sending import Sending

    return Sending(sources, url, site, job, token, cafile, stop_at_eof, keep_open, command).run()
