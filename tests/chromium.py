"""A headless Chromium, driven through its own protocol over two pipes: no driver, no package.

See the Chrome DevTools Protocol; `--remote-debugging-pipe` speaks it on the file descriptors 3 and
4, one JSON message after another, each ended by a zero byte.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    "--js-flags=--max-opt=2",  # a page is too short-lived for the last compiler of V8
)
# Codes of the keys whose name is not the character that they type.
CODES = {
    **{"ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40},
    **{"Backspace": 8, "Tab": 9, "Enter": 13},
}

# Listeners hear in the order of their registration, so the page's own have heard before this one.
LISTEN_FOR_THEME = """
window.heardOfTheme = new Promise(done => {
  const query = matchMedia('(prefers-color-scheme: %s)');
  if (query.matches) done(true);
  else query.addEventListener('change', () => done(true), {once: true});
}); 0
"""

# Accessibility: tests/vendor/README.md says where axe comes from.
AXE = Path(__file__).parent / "vendor/axe.min.js"
FIND_VIOLATIONS = """
axe.run(document, %s).then(found => found.violations.map(
  rule => rule.id + ': ' + rule.nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(' ')))
"""
# Contrast is half of axe's work. Text that looks as text that has passed does, on this page or one
# before it, and lies in parts of the same backgrounds, passes as well; what is placed freely may
# lie on anything, and is measured.
MEASURE_EACH_LOOK_ONCE = """
(passed => {
  axe.passed = new Set(passed);
  const rule = axe._audit.rules.find(rule => rule.id === 'color-contrast');
  const check = axe._audit.checks['color-contrast'];
  rule.matchesAny = rule.matchesAny || rule.matches;
  check.measure = check.measure || check.evaluate;
  const known = new Map([[null, '']]);
  const values = (style, names) => names.map(name => style.getPropertyValue(name)).join();
  const below = element => {
    if (known.has(element)) return known.get(element);
    const style = getComputedStyle(element), outer = below(element.parentElement);
    const own = values(style, ['background-color', 'background-image', 'opacity', 'filter',
      'mix-blend-mode', 'text-shadow']);
    const isFree = outer === null || ['absolute', 'fixed'].includes(style.position);
    known.set(element, isFree ? null : outer.endsWith('|' + own) ? outer : outer + '|' + own);
    return known.get(element);
  };
  const lookOf = element => {
    const place = below(element), style = getComputedStyle(element);
    return place && place + values(style, ['color', 'font-size', 'font-weight',
      '-webkit-text-stroke-width', '-webkit-text-stroke-color']);
  };
  rule.matches = (element, ...rest) =>
    !axe.passed.has(lookOf(element)) && rule.matchesAny(element, ...rest);
  check.evaluate = function (element, ...rest) {
    const look = lookOf(element);
    if (axe.passed.has(look)) return true;
    const result = check.measure.call(this, element, ...rest);
    if (result === true && look !== null) axe.passed.add(look);
    return result;
  };
})(%s);
"""


def executable() -> str | None:
    """The browser's path, if this machine has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a browser of its own."""

    def __init__(self, profile: Path, downloads: Path):
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        command = [executable(), *SWITCHES, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._count, self._events = b"", 0, []
        self._session: str | None = None
        self._passed: list[str] = []  # the looks of text whose contrast suffices
        page = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=page, flatten=True)
        self._send(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(downloads),
            eventsEnabled=True,
        )
        self._session = attached["sessionId"]
        self._send("Page.enable")
        self._send("Page.setLifecycleEventsEnabled", enabled=True)
        for domain in ("Network", "Runtime", "Log"):
            self._send(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        # Close the browser as a user does: it then writes what pages have stored to disk.
        self._session = None
        self._send("Browser.close")
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def open(self, path: Path) -> None:
        """Open a file, and wait until it has loaded."""
        self._events.clear()
        loader = self._send("Page.navigate", url=path.resolve().as_uri())["loaderId"]
        self.wait_for("Page.lifecycleEvent", name="load", loaderId=loader)

    def run_before_scripts(self, source: str) -> None:
        """Have every page that is opened from now on run this JavaScript before its own."""
        self._send("Page.addScriptToEvaluateOnNewDocument", source=source)

    def press(self, key: str) -> None:
        """Press a key: a character, or a name such as Enter."""
        code = CODES.get(key) or ord(key.upper())
        typed = {} if key in CODES and key != "Enter" else {"text": "\r" if key == "Enter" else key}
        for kind in ("keyDown", "keyUp"):
            extra = typed if kind == "keyDown" else {}
            self._send(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra
            )

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def resize(self, width: int, height: int, mobile: bool = False) -> None:
        """Show the page in a window of this size, or on a phone."""
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def show_as(self, theme: str = "light", medium: str = "screen") -> None:
        """Show the page in a theme (light, dark), on a screen or in print, without animations.

        A page that listens for changes of the theme has heard of it.
        """
        wanted = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.value(LISTEN_FOR_THEME % theme)
        self._send("Emulation.setEmulatedMedia", media=medium, features=features)
        self.value("heardOfTheme")

    def violations(self, *rules: str) -> list[str]:
        """What axe finds wrong with the page for readers who do not see it, or use no mouse.

        rules : those that are asked about; all without them
        """
        options = {"resultTypes": ["violations"], "selectors": False}
        if rules:
            options["runOnly"] = list(rules)
        if not self.value("'axe' in window"):
            self.value(AXE.read_text(encoding="utf-8") + "; 0")
        self.value(MEASURE_EACH_LOOK_ONCE % json.dumps(self._passed))
        found = self.value(FIND_VIOLATIONS % json.dumps(options))
        self._passed = self.value("[...axe.passed]")
        return found

    def complaints(self) -> list[dict[str, Any]]:
        """Errors and warnings that the page or the browser has logged since it was opened."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        logged = [event["params"] for event in self._events if event.get("method") in kinds]
        quiet = ("log", "info", "debug", "verbose")
        return [
            params
            for params in logged
            if params.get("type", params.get("entry", {}).get("level")) not in quiet
        ]

    def requests(self) -> list[str]:
        """The URLs that the page has asked for since it was opened."""
        asked = [e for e in self._events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]

    def wait_for(self, method: str, **expected) -> dict[str, Any]:
        """The first event of that name whose parameters are as expected, however long it takes."""
        while True:
            for event in self._events:
                params = event.get("params", {})
                if event.get("method") == method and expected.items() <= params.items():
                    return params
            self._events.append(self._receive())

    def _send(self, method: str, **params) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]
            self._events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)
