"""A headless Chromium that is asked things: sizes, clicks, downloads; ``test_report_browser.browse`` only looks."""

import base64
import json
import os
import subprocess
import time
from contextlib import contextmanager

from test_report_browser import CHROMIUM, FLAGS

WAIT = 120.0
"""Seconds that a page may take to draw, or a file to arrive."""


@contextmanager
def chrome(folder):
    """A ``Chrome`` whose profile and ``downloads`` lie in ``folder``."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    flags = [flag for flag in FLAGS if not flag.startswith(("--dump", "--virtual", "--enable-logging"))]
    command = [CHROMIUM, *flags, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank"]
    # Chromium reads commands from descriptor 3 and answers on 4
    shell = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command]
    process = subprocess.Popen(shell, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Chrome(ours_in, ours_out, folder / "downloads")
    finally:
        process.terminate()
        process.wait()
        os.close(ours_in)
        os.close(ours_out)


class Chrome:
    def __init__(self, answers, commands, downloads):
        self.answers, self.commands, self.downloads = answers, commands, downloads
        self.session, self.read, self.asked = None, b"", 0
        page = next(each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]

    def ask(self, method, **params):
        self.asked += 1
        session = {"sessionId": self.session} if self.session else {}
        os.write(
            self.commands, json.dumps({"id": self.asked, "method": method, "params": params} | session).encode() + b"\0"
        )
        while (answer := self._next()).get("id") != self.asked:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        while b"\0" not in self.read:
            received = os.read(self.answers, 1 << 20)
            assert received, "the browser has ended"
            self.read += received
        line, _, self.read = self.read.partition(b"\0")
        return json.loads(line)

    def run(self, script):
        """What the script gives, after its promises."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path, width, media="screen"):
        """The page, all charts drawn, in a window so wide."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", media=media)
        self.ask("Page.navigate", url=path.as_uri())
        until(lambda: self.run("document.documentElement?.dataset.state") == "drawn")

    def download(self, click, name):
        """The file ``name`` that the script ``click`` makes arrive."""
        self.run(click)
        until((self.downloads / name).exists)
        return (self.downloads / name).read_bytes()

    def pdf(self):
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True)["data"])


def until(happens):
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < WAIT
        time.sleep(0.05)
