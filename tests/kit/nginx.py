"""nginx with the shipped deploy/nginx.conf, on a port of our own."""

import os
import signal

from tests.kit.network import free_port, listens
from tests.kit.paths import ROOT
from tests.kit.program import Program

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
SERVER = "server web:8000"


class Nginx(Program):
    """Before these servers, each as an address with a port and what else nginx is told of it."""

    def __init__(self, folder, *servers):
        folder.mkdir(exist_ok=True)
        self.folder, self.port, self.file = folder, free_port(), folder / "nginx.conf"
        self.write(servers)
        options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = ["nginx", "-p", folder, "-e", "stderr", "-c", self.file, "-g", options]
        super().__init__(command, folder / "log", ready=lambda: listens(self.port))

    def write(self, servers):
        text = CONFIGURATION.read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if SERVER in line)
        changes = {
            line: "".join(f"server {server};\n" for server in servers),
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "/tmp/": f"{self.folder}/",
        }
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text, encoding="utf-8")

    def use(self, *servers):
        """Send requests to these, from now on."""
        self.write(servers)
        self.process.send_signal(signal.SIGHUP)
