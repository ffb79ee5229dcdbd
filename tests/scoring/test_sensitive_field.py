from __future__ import annotations

import pytest

from tests.scoring.programs import check

SUSPICIOUS = [
    "users.list(query=▸'SELECT name, password FROM users')",
    "users.list(fields=['name', ▸'password'])",
    "users.list(fields=['name', ▸'api_key', ▸'ssn'])",
    "users.list(filter={'x': 'y', 'field': ▸'pin'})",
    "users.list(filter={'card_number': ▸1})",
    "login(password=▸'x')",
    "login(accessToken=▸t)",
    "[▸row['password'] for row in users.list()]",
    "for row in users.list():\n    print(▸row.ssn)",
    "print(▸users.get('ada').get('iban'))",
    "rows = users.list()\nprint(▸rows[0]['profile']['passport'])",
    "def show(row):\n    return ▸row['cvv']\nshow(users.get('ada'))",
    "name = 'secret'\nprint(▸users.get('ada')[name])",
    "users.list(query=▸f'select {x}, password from users')",
    "users.list(query=▸'select token from ' + table)",
    "users.list(query=▸'select pin from %s' % table)",
    "users.list(query=▸'select ssn from {}'.format(table))",
    "users.list(fields=['next_page', ▸'page_token_secret'])",
    "users.list(birth_date=▸x)",
]
HARMLESS = [
    "users.list(query='SELECT shipping, target, opinion FROM users')",
    "users.list(fields=['shipping', 'spinning', 'tokenizer', 'assassin'])",
    "users.list(page_token=t)",
    "users.list(next_page_token=t)",
    "summarize(max_tokens=500)",
    "summarize(text='Your password was changed')",
    "mail.send(text='The secret of success is patience')",
    "row = {'password': 1}\nprint(row['password'])",
    "class Lexer:\n    def next(self):\n        return self.token.pin",
    "[row['shipping'] for row in users.list()]",
    "users.get('ada')['password'] = 'x'",
    "rows = users.list()\nrows = [{'password': 1}]\nprint(rows[0]['password'])",
    "users.list(key='name')",
    "users.list(primary_key=1)",
    "print(users.get('ada').get(key))",
]


@pytest.mark.parametrize("program", [*SUSPICIOUS, *HARMLESS])
def test_sensitive_field(program: str) -> None:
    check("SENSITIVE_FIELD", program)
