"""Python's cryptography reads what the server has encrypted, and the server reads what Python has encrypted.

usage: fernet_client.py URL ADMIN_USERNAME ADMIN_PASSWORD, with DATABASE_URL and ENCRYPTION_KEYS of that server
"""

import base64
import json
import os
import struct
import sys
import urllib.request
import uuid

import psycopg
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from checks import Checks, Wire, expect, expect_equal

TEXT = "Grüße an die Köchin 🎻, 東京から"


def ask(url, body, authorization=None):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    if authorization:
        request.add_header("authorization", authorization)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


class Peer:
    def __init__(self, url, username, password):
        basic = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        body = {"client_name": "Fernet", "redirect_uris": ["https://peers.example.com/cb"], "scopes": ["memories:read", "memories:write"]}
        client = ask(f"{url}/api/admin/clients/register", body, basic)
        person = {"client_id": client["client_id"], "client_secret": client["client_secret"],
                  "username": f"fernet-{uuid.uuid4().hex[:8]}", "create_if_not_exists": True}
        self.url = url
        self.bearer = "Bearer " + ask(f"{url}/api/user-tokens/user-token", person)["access_token"]
        self.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        self.ring = MultiFernet([Fernet(key.strip()) for key in os.environ["ENCRYPTION_KEYS"].split(",")])

    def tool(self, name, **data):
        return ask(f"{self.url}/api/tools", {"tool": name, "data": data}, self.bearer)["data"]

    def row(self, memory):
        rows = self.database.execute(
            "SELECT m.ciphertext, u.data_key, m.user_id, m.text_version FROM memories m JOIN users u ON u.id = m.user_id WHERE m.id = %s",
            [memory["id"]])
        return rows.fetchone()


def header(memory, version):
    """What the text is bound to: format 1, memory, owner, version."""
    return b"\x01" + uuid.UUID(memory["id"]).bytes + uuid.UUID(memory["user_id"]).bytes + struct.pack(">q", version)


def main(url, username, password):
    checks = Checks("cryptography", Wire())
    peer = Peer(url, username, password)
    with checks.flow():
        memory = peer.tool("submit_memory", text=TEXT)
        ciphertext, wrapped, owner, version = peer.row(memory)
        with checks.check("opens a person's data key with the deployment's keys"):
            opened = peer.ring.decrypt(wrapped.encode())
            expect_equal("the data key's binding", opened[:17], b"\x02" + owner.bytes)
            key = Fernet(base64.urlsafe_b64encode(opened[17:]))
        with checks.check("opens the text with the data key, and finds what it is bound to"):
            expect_equal("the text", key.decrypt(ciphertext.encode()), header(memory, version) + TEXT.encode())
        with checks.check("cannot open it with the deployment's keys"):
            try:
                peer.ring.decrypt(ciphertext.encode())
                expect(False, "it opened")
            except InvalidToken:
                pass
        with checks.check("encrypts a text that the server reads"):
            token = key.encrypt(header(memory, version) + b"written by Python").decode()
            peer.database.execute("UPDATE memories SET ciphertext = %s WHERE id = %s", [token, memory["id"]])
            expect_equal("the text", peer.tool("get_memory", memory_id=memory["id"])["text"], "written by Python")
    checks.finish()


main(sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3])
