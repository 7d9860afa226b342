"""Make .env of .env.example: every empty value becomes a new secret. A file that is there is left alone.

python3 scripts/make_env.py
"""

import base64
import os
import secrets
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def filled(text):
    """The text with a secret after every name that has no value."""
    lines = []
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        unset = sign and not value and not name.startswith("#")
        secret = fernet() if name == "FERNET_KEY" else secrets.token_hex(32)
        lines.append(line + (secret if unset else "") + "\n")
    return "".join(lines)


def fernet():
    """A key as Airflow's encryption of connections wants it: 32 bytes in base64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")


def main(folder):
    """Write the file, for this user's eyes only."""
    with open(os.path.join(folder, ".env.example"), encoding="utf-8") as example:
        text = filled(example.read())
    try:
        handle = os.open(os.path.join(folder, ".env"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit("make_env: .env is there already; its secrets are in use, so it is left alone")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else HERE)
