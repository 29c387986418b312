"""The command `xp serve`: takes a home and a port, shows it in a browser until Ctrl-C."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from engine.cli.base import HomeOption, app, find_home, say
from engine.errors import XpError

NEEDED = ("starlette", "uvicorn", "python_multipart")


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8420,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="where to listen; others than 127.0.0.1 need --token")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(envvar="XP_SERVE_TOKEN", metavar="TOKEN", help="needed to read, too; auto: one is made"),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="a name it is reached under, as behind JupyterHub")
    ] = None,
    frame: Annotated[
        bool, typer.Option("--frame", help="may stand in a frame of the same site, as in Jupyter")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="open it in a browser")] = False,
    home: HomeOption = None,
) -> None:
    """Show experiments, runs, the queue and SQL in a browser, live, on 127.0.0.1."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise XpError(f"{' and '.join(missing)} are not installed", fix="pip install 'xp-engine[serve]'")
    from engine.serve.access import make_access
    from engine.serve.starting import run_server

    place = find_home(home)
    access = make_access(place, host, token, allow_host or (), is_framed=frame)

    def tell(address: str) -> None:
        say(f"xp serves {place.root} at {address} until Ctrl-C")
        if open_page:
            typer.launch(address)

    run_server(place, port, access, tell, host)
