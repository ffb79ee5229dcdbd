from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "users.list(query=▸'*')",
    "users.list(query=▸' % ')",
    "files.read(pattern=▸'**/*')",
    "users.list(filter=▸{})",
    "users.list(filter=▸'')",
    "users.list(userFilter=▸[])",
    "everything = ▸{}\nusers.list(filter=everything)",
    "users.list(query=▸'select * from users')",
    "users.list(query=▸'SELECT * FROM users ORDER BY name')",
    "users.list(query=▸f'select * from {table}')",
    "users.list(fields=[▸'*'])",
    "users.list(▸'*')",
]
HARMLESS = [
    "users.list(query='a*')",
    "users.list(query='5 * 3')",
    "users.list(query='select * from users where id = 1')",
    "users.list(query='select * from users limit 10')",
    "users.list(query='select count(*) from users')",
    "users.list(filter={'team': 'red'})",
    "users.list(filter=None)",
    "users.list(tags=[])",
    "mail.send(text='')",
    "call_tool('users:list', {})",
    "call_tool('users:list', {'': ''})",
    "filters = {}\nif x:\n    filters['team'] = 'red'\nusers.list(filter=filters)",
    "filters = {}\nfilters.update(team='red')\nusers.list(filter=filters)",
    "print('*')",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_wildcard_query(program: str) -> None:
    check("WILDCARD_QUERY", program)
