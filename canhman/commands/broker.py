"""`canhman broker`: the files Mosquitto needs, and ingest's session there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

APP = typer.Typer(no_args_is_help=True, help="Mosquitto: its configuration, accounts and access rules, and ingest's session.")
Folder = Annotated[
    Path | None, typer.Option("--folder", help="Where mosquitto.conf, passwd and acl are written (default: where the last init wrote, else broker).")
]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for the broker.")]
Pid = Annotated[Path | None, typer.Option("--pid-file", help="Mosquitto's pid file: have it read the files again (SIGHUP).", exists=True, dir_okay=False)]


@APP.command("init", epilog="Example: canhman broker init --folder /etc/mosquitto/canhman; then start Mosquitto; then `canhman broker init` again")
def init(
    folder: Folder = None,
    host: Annotated[str | None, typer.Option(help="Address Mosquitto listens on (default: all).")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port Mosquitto listens on (default: 1883).")] = None,
    certfile: Annotated[str, typer.Option(help="TLS: certificate chain, on the broker's machine.")] = "",
    keyfile: Annotated[str, typer.Option(help="TLS: private key, on the broker's machine.")] = "",
    worker: Annotated[
        list[str] | None, typer.Option(help="Name of an ingest (CANHMAN_WORKER) where several share this broker: its session is made. May be given again.")
    ] = None,
    lone: Annotated[bool, typer.Option("--lone", help="One ingest reads from this broker again, where several did.")] = False,
    end_lone: Annotated[bool, typer.Option("--end-lone", help="With --worker: end the session of the lone ingest there was, with what waits in it.")] = False,
    wait: Wait = 0,
) -> None:
    """Write Mosquitto's files with ingest's account alone, and make ingest's session as soon as the broker answers.

    The session must stand before any device has an account: what is published before anybody subscribed is
    acknowledged by the broker and gone. So: init, start Mosquitto, init again, then `canhman broker sync`.
    A mosquitto.conf that is there stays as it stands; with --host, --port or --certfile it is written anew.
    Several ingests that share this broker each have a name and a session: --worker a --worker b; later calls know them.
    """
    import asyncio
    import shlex

    from canhman import broker, broker_record, terminal
    from canhman.settings import check_worker, read_settings
    from canhman.usage import UsageError
    from core.errors import RefusedError, UnavailableError

    settings = read_settings()
    if lone and (worker or end_lone or settings.worker):
        raise UsageError("--lone is for one ingest without a name: leave --worker, --end-lone and CANHMAN_WORKER out")
    workers = list(dict.fromkeys(worker or ([settings.worker] if settings.worker else [] if lone else broker_record.workers(settings))))
    if end_lone and not workers:
        raise UsageError("--end-lone needs the names of the ingests that come in its place: --worker a --worker b")
    if end_lone and broker.ingest_runs(settings, ""):
        raise RefusedError("the lone ingest still runs; once it has nothing left in its journal (canhman doctor), stop it")
    for name in workers:
        if not settings.broker_address.embedded:
            check_worker(name, settings.broker_address, where="--worker")
    if bool(certfile) != bool(keyfile):
        raise UsageError("TLS needs both --certfile and --keyfile")
    folder = broker.folder_of(settings, folder)
    password = broker.ingest_password(settings)
    terminal.result(broker.write_configuration(folder, host=host, port=port, certfile=certfile, keyfile=keyfile, shared=bool(workers)))
    for path in broker.write_accounts(folder, settings, password=password, only_ingest=not (folder / broker.SYNCED).exists()):
        terminal.result(f"written {path}")
    if barrier := broker.barred_for_mosquitto(folder):
        terminal.say(f"Mosquitto's user cannot enter {barrier}: use a folder it can reach, such as --folder {broker.GOOD_FOLDER}.", style="yellow")
    terminal.result(f"ingest logs in as canhman-ingest; its password is in {broker.password_file(settings)} (or give CANHMAN_BROKER_PASSWORD)")
    address = settings.broker_address
    quoted = shlex.quote(str(folder))
    again = f"canhman broker init --folder {quoted}{''.join(f' --worker {shlex.quote(name)}' for name in workers)}"
    if address.embedded:
        terminal.say(
            f"Next: start Mosquitto with {folder / broker.CONFIGURATION}, set CANHMAN_BROKER=mqtt{'s' if certfile else ''}://canhman-ingest@{host or 'HOST'}"
            f"{f':{port}' if port else ''}, and run `{again}` again (the file keeps the options you gave).",
            style="yellow",
        )
        return
    try:
        asyncio.run(broker.make_sessions(settings, password, workers=workers, wait_s=wait))
        if lone:
            broker_record.forget_workers(settings)
        if end_lone:
            asyncio.run(broker.end_lone_session(settings, password))
    except UnavailableError as error:
        what = f"the files are written: start Mosquitto with {folder / broker.CONFIGURATION}, then `{again}` again"
        raise UnavailableError(f"{error}; {what}") from error
    whose = f"the sessions of {', '.join(workers)} stand" if workers else "ingest's session stands"
    terminal.result(f"{whose} at {address.host}:{address.port}; now `canhman broker sync --folder {quoted}` lets devices in")
    if workers and broker_record.read(settings).session == broker_record.where(settings):
        terminal.say(
            "The session of the lone ingest still collects everything there. Start the workers; once the lone ingest has nothing left in its "
            f"journal (canhman doctor), stop it and run `{again} --end-lone`.",
            style="yellow",
        )


@APP.command("sync", epilog="Example: canhman broker sync --folder /etc/mosquitto/canhman --pid-file /run/mosquitto/mosquitto.pid")
def sync(folder: Folder = None, pid_file: Pid = None) -> None:
    """Write the accounts and access rules of every device and join key, as the registry says now.

    Refused while ingest's session was never made at CANHMAN_BROKER: what devices sent would be acknowledged there and lost.
    """
    from canhman import broker, terminal
    from canhman.settings import read_settings

    settings = read_settings()
    folder = broker.folder_of(settings, folder)
    broker.check_session(settings, folder)
    for path in broker.write_accounts(folder, settings, password=broker.ingest_password(settings), only_ingest=False):
        terminal.result(f"written {path}")
    (folder / broker.SYNCED).touch()
    if pid_file is None:
        terminal.say(
            "Have Mosquitto read them again: `systemctl reload mosquitto`, or kill -HUP its process. Until then new devices are “not authorised”.",
            style="yellow",
        )
    else:
        terminal.result(f"told process {broker.reload(pid_file)} to read them again")
