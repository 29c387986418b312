"""The command plugins: which code of people's own may be named by a short name, and which may run in this home."""

from __future__ import annotations

from engine.cli.base import AsJson, HomeOption, app, find_home, print_json, say, tell


@app.command()
def plugins(as_json: AsJson = False, home: HomeOption = None) -> None:
    """List code that installed packages register under short names, and code of yours that may run in this home.

    Nothing of it is imported.
    """
    from engine.inputs.own_code.trust import list_trusted
    from engine.load.registered import list_registered

    named = list_registered()
    allowed = list_trusted(find_home(home, required=False))
    if as_json:
        print_json({"registered": [vars(one) for one in named], "allowed": [vars(one) for one in allowed]})
        return
    for one in named:
        tell(f"{one.kind} {one.name}: {one.reference} ({one.package})")
    for code in allowed:
        changed = "" if code.is_same else ", which has changed since or is gone"
        tell(f"may run here: {code.path}{changed}")
    if not named and not allowed:
        say("no package registers code, and no code of your own was allowed in this home; begin with: xp init --plugin")
