"""What importing something loads, seen in a fresh Python process."""

import subprocess
import sys

LOADED = "import sys; print(*sorted(set(sys.modules).intersection({names})))"


def loaded(statements: str, *names: str) -> list[str]:
    """Which of the modules `names` are loaded after the statements."""
    code = f"{statements}; {LOADED.format(names=names)}"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.split()
