"""Runs the console blocks of a document: every command as it stands, which must answer as it is shown.

A line that begins with "$ " is a command, lines with "> " go on with it, and the others are what it answers."""

import re
import subprocess

from harness import CONTROL, ROOT, eventually

MARK = "@@ end of a command"


def steps(text):
    """(command, shown output) of each command in the console blocks."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            lines = part.splitlines(keepends=True)
            end = next((i for i, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
            command = "".join([lines[0], *(line[2:] for line in lines[1:end])]).rstrip("\n")
            found.append((command, "".join(lines[end:])))
    return found


def comparable(text):
    """What differs from run to run is left out; records of several partitions come in any order."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)
    text = re.sub(r"file:///[^\"#]*/schemas/", "file:///schemas/", text)
    return sorted(text.strip().splitlines())


class Shell:
    """One bash, as the reader has one."""

    def __init__(self, stack):
        self.replaced = {"localhost:4000": f"localhost:{stack.ports['commandApi']}",
                         "localhost:4001": f"localhost:{stack.ports['queryApi']}",
                         "localhost:9092": stack.bootstrap,
                         "-p 6379": f"-p {stack.snapshots_port}",
                         "bin/": f"{ROOT}/bin/",
                         "./control.sh": str(CONTROL)}
        self.bash = subprocess.Popen(["bash"], cwd=stack.folder, env=stack._environment(), text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, command):
        for shown, real in self.replaced.items():
            command = command.replace(shown, real)
        self.bash.stdin.write(f"{command}\necho '{MARK}'\n")
        self.bash.stdin.flush()
        output = ""  # its last line may end without a new one
        while MARK not in output and (line := self.bash.stdout.readline()):
            output += line
        return output.partition(MARK)[0]

    def close(self):
        self.bash.stdin.close()
        self.bash.wait(10)
        self.bash.stdout.close()


def changes_something(command):
    return any(part in command for part in ("-d ", "-X", "produce", "redis-cli", "control.sh restart", ">"))


def follow(shell, found):
    for command, shown in found:
        output = [shell.run(command)]

        def as_shown():
            if comparable(output[0]) == comparable(shown):
                return True
            if not changes_something(command):  # a reader would ask again as well
                output[0] = shell.run(command)
            return False
        eventually(as_shown, what=f"{command}\nshows {shown!r}\nbut gave {output[0]!r}")
