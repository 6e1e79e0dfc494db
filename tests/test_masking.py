"""What a recording must not hold, and what of it stays: our own decision, on the shapes of the wire facts."""

# pyright: reportPrivateUsage=false

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coze_async import ConfigurationError
from coze_async._masking import KEEPABLE, Masking
from coze_async.resources import all_endpoints

STREAM = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def body(
    content: str | bytes, *, keep: tuple[str, ...] = (), status: int = 200, path: str = "/v3/chat", **headers: str
) -> str:
    """Return what a body becomes; its length must not change."""
    plain = content.encode() if isinstance(content, str) else content
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()} or JSON
    masked = Masking(keep).exchange(path).body(status, given_headers, plain)
    assert masked is not None
    assert len(masked) == len(plain)
    return masked.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        # What support asks for, and what a client decides by.
        ('{"code":0,"msg":"","logid":"L1","data":{"id":"9","status":"completed","created_at":17}}', None),
        ('{"type":"answer","content_type":"text","role":"assistant","is_finish":true,"node_seq_id":"0"}', None),
        ('{"usage":{"token_count":115,"output_tokens":24},"has_more":false,"total":3}', None),
        # What somebody wrote: letters, digits and characters of every length.
        ('{"content":"Hi Bob, 42! é 你好 😀"}', '{"content":"xx xxx, 00! é 某某 𝑥"}'),
        ('{"content":"a\\nb\\u4f60\\ud83d\\ude00\\"\\\\ c"}', '{"content":"x\\nx\\u67d0\\ud835\\udc65\\"\\\\ x"}'),
        ('{"title":["one",{"name":"two"}],"slice":"three"}', '{"title":["xxx",{"name":"xxx"}],"slice":"xxxxx"}'),
        # Line ends that are none for server-sent events stay where they are: they are what goes wrong.
        ('{"content":"a\u2028b\u0085c"}', '{"content":"x\u2028x\u0085x"}'),
        # Who it is.
        ('{"user_id":"u-7","nick_name":"Ann","email":"a@b.c"}', '{"user_id":"x-0","nick_name":"xxx","email":"x@x.x"}'),
        # Numbers that people gave stay numbers; those of the service stay.
        ('{"age":42,"parameters":{"count":7,"x":-1.5e3}}', '{"age":11,"parameters":{"count":1,"x":-1.1e1}}'),
        ('{"count":42,"weights":[1,20]}', '{"count":42,"weights":[1,11]}'),
        # Below what people name, no name means anything.
        ('{"custom_variables":{"status":"ill"},"status":"ok"}', '{"custom_variables":{"status":"xxx"},"status":"ok"}'),
        ('{"meta_data":[{"type":"ill"}],"type":"ok"}', '{"meta_data":[{"type":"xxx"}],"type":"ok"}'),
        # A field that nobody knows yet, a bare text, a word that is none of JSON's.
        ('{"brand_new":"abc"}', '{"brand_new":"xxx"}'),
        ('["abc"]', '["xxx"]'),
        ('{"a":NaN,"b":nonsense,"c":null}', '{"a":NaN,"b":xxxxxxxx,"c":null}'),
        # JSON in a text: the envelopes of verbose messages and of objects, and nothing a bot made up.
        (
            '{"content":"{\\"msg_type\\":\\"knowledge_recall\\",\\"data\\":\\"{\\\\\\"slice\\\\\\":\\\\\\"abc\\\\\\"}\\"}"}',
            '{"content":"{\\"msg_type\\":\\"knowledge_recall\\",\\"data\\":\\"{\\\\\\"slice\\\\\\":\\\\\\"xxx\\\\\\"}\\"}"}',
        ),
        (
            '{"content":"[{\\"type\\":\\"image\\",\\"file_id\\":\\"f1\\"},{\\"type\\":\\"ill\\",\\"status\\":\\"ill\\"}]"}',
            '{"content":"[{\\"type\\":\\"image\\",\\"file_id\\":\\"f1\\"},{\\"type\\":\\"xxx\\",\\"status\\":\\"xxx\\"}]"}',
        ),
        # Torn, as a connection leaves it.
        ('{"id":"9","content":"Half an ans', '{"id":"9","content":"xxxx xx xxx'),
        ('{"content":"Half\\', '{"content":"xxxx\\'),
        ('{"content":"odd \\q escape","id":"9"}', '{"content":"xxx \\x xxxxxx","id":"9"}'),
        ('{"content":"\\ud8zz\\udezz b"}', '{"content":"\\xx0xx\\xxxxx x"}'),
        ('{"content":"a"}}} "b"', '{"content":"x"}}} "x"'),
        ('\ufeff {"content":"a"}', '\ufeff {"content":"x"}'),
    ],
)  # fmt: skip
def test_a_mask_hides_what_is_personal_and_keeps_what_a_client_decides_by(given: str, masked: str | None) -> None:
    assert body(given) == (masked or given)


def test_bytes_that_are_no_characters_are_masked_one_by_one() -> None:
    assert body(b'{"content":"\xc4\xe3 ok"}') == '{"content":"xx xx"}'


def test_content_can_be_kept_without_the_users_and_the_other_way_round() -> None:
    given = '{"content":"Hi {\\"a\\":1}","user_id":"u-7","data":"{\\"user_id\\":\\"u-7\\",\\"n\\":5}","age":42}'
    assert body(given, keep=("content",)) == given.replace("u-7", "x-0")
    assert '"user_id":"u-7"' in body(given, keep=("users",))
    assert "Hi" not in body(given, keep=("users",))
    assert body(given, keep=KEEPABLE) == given


def test_a_count_of_tokens_is_no_token() -> None:
    counts = (
        '{"token":"123456789","tokens":5,"a":{"token_count":7,"output_tokens":24,"max_tokens":"9","token_type":"t"}}'
    )
    assert body(counts, path="/v1/workflow/stream_run") == counts
    assert body('{"token":"1234567890"}', keep=KEEPABLE, path="/v1/workflow/run") == '{"token":"0000000000"}'
    # Nowhere else does a server count under this name, and nobody who asks does.
    assert (
        body('{"token":"123456","a":{"token":12}}', keep=KEEPABLE, path="/v1/audio/rooms")
        == '{"token":"000000","a":{"token":11}}'
    )
    asked = Masking(KEEPABLE).exchange("/v1/workflow/run").request_body(b'{"token":"123456"}')
    assert asked == {"token": "000000"}
    # A name that counts, and a text that counts nothing.
    assert body('{"output_tokens":"s3cr-et"}', keep=KEEPABLE) == '{"output_tokens":"x0xx-xx"}'
    cursors = '{"page_token":"2","next_page_token":"30"}'
    assert body(cursors) == cursors


CREDENTIALS = (
    "token", "tokens", "access_tokens", "accessToken", "token_id", "secret_id", "session_id", "sessionid", "secret_key",
    "access_key", "x-api-key", "X-Api-Key", "api-key", "privateKey", "RSAPrivateKey", "apikeys", "clientSecret",
    "secrets",
    "pwd", "pass", "passwd", "password", "passphrase", "credentials", "cookies", "jwt", "auth", "bearer", "ak", "sig",
    "X-Amz-Signature", "x-sign", "user_code", "auth_code", "token_value",
)  # fmt: skip


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("keep", [(), KEEPABLE])
def test_a_credential_is_known_by_its_name_however_that_is_written(name: str, keep: tuple[str, ...]) -> None:
    deep = {"id": "s3cr-et", "code": 720702204, "type": ["s3cr-et", {"status": "s3cr-et"}]}
    for value in ("s3cr-et", "720702204", ["s3cr-et", "720702204", [720702204]], deep):
        for place in ({name: value}, {"parameters": {name: value}}, {"data": json.dumps({name: value})}):
            masked = body(json.dumps(place), keep=keep, path="/v1/x")
            assert "s3cr" not in masked
            assert "720702204" not in masked
    exchange = Masking(keep).exchange("/v1/x")
    assert exchange.query({name: ["s3cr-et", "720702204"]}) == {name: ["x0xx-xx", "000000000"]}


@pytest.mark.parametrize("name", ["password", "secret", "API token", "Authorization", "clientSecret"])
@pytest.mark.parametrize(
    ("label", "held"), [("key", "value"), ("keyword", "value"), ("Name", "defaultValue"), ("header_name", "values")]
)
@pytest.mark.parametrize("keep", [(), ("content",), KEEPABLE])
def test_a_credential_is_known_by_the_name_beside_it(name: str, label: str, held: str, keep: tuple[str, ...]) -> None:
    for value in ("s3cr-et", 720702204, ["s3cr-et"], {"text": "s3cr-et", "id": "720702204"}):
        pairs: list[Any] = [{label: name, held: value}, {held: value, "n": [{}], label: name}]
        for pair in pairs:
            places: list[Any] = [[pair], {"data": [{"a": 1}, pair]}, {"content": json.dumps({"data": pair})}]
            for place in places:
                masked = body(json.dumps(place), keep=keep, path="/v1/variables")
                assert "s3cr" not in masked
                assert "720702204" not in masked


@pytest.mark.parametrize(
    "given",
    [
        '[{"key":"city","value":"Paris"},{"key":"password"},{"value":"Rome"}]',
        '{"key":"max_tokens","value":"4096"}',
        '{"title":"password","value":"a text"}',
        '{"key":"password","hint":"a text"}',
        '{"value":"outside","inner":{"key":"password"}}',
        '{"key":["password"],"value":"a text"}',
        '{"key":{"key":"password"},"value":"a text"}',
    ],
)
def test_a_value_stays_beside_what_names_no_credential(given: str) -> None:
    assert body(given, keep=("content",)) == given


@pytest.mark.parametrize("name", ["password", "client_secret", "pwd", "token"])
def test_a_credential_may_be_a_number(name: str) -> None:
    assert body(f'{{"{name}":720702204}}', keep=KEEPABLE, path="/v1/x") == f'{{"{name}":111111111}}'


@pytest.mark.parametrize("name", ["keyword", "design", "task", "sign_type", "check_not_pass", "secretary", "passage"])
def test_a_name_that_only_looks_like_a_credential_is_none(name: str) -> None:
    assert body(f'{{"{name}":"abc"}}', keep=KEEPABLE) == f'{{"{name}":"abc"}}'


def test_an_address_that_is_kept_has_no_credentials_in_it() -> None:
    signed = "https://s.coze.cn/x?sign=Q1w2&amp;x-signature=a%3D9&Expires=17&key_name=b"
    assert body(json.dumps({"url": signed}), keep=("content",)) == json.dumps(
        {"url": "https://s.coze.cn/x?sign=x0x0&amp;x-signature=x%0x0&Expires=17&key_name=b"}
    )
    assert body('{"debug_url":"https://www.coze.cn/w?execute_id=1&token=Q1w2"}') == (
        '{"debug_url":"https://www.coze.cn/w?execute_id=1&token=x0x0"}'
    )


@pytest.mark.parametrize(
    "given",
    [
        '{"access_token":"s3cr-et","token":"s3cr-et"}',
        '{"client_secret":"s3cr-et"}',
        '{"data":{"refresh_token":"s3cr-et"}}',
        '{"device_code":"s3cr-et","user_code":"s3cr-et"}',
        '{"assertion":"s3cr-et","password":"s3cr-et","session_key":"s3cr-et"}',
        '{"msg":"the token pat_s3cr-et is bad"}',
        '{"pat_s3cr-et":1}',
        '{"content":"Bearer s3cr-et"}',
        '{"content":"{\\"api_key\\":\\"s3cr-et\\"}"}',
    ],
)
def test_no_credential_can_be_kept(given: str) -> None:
    assert "s3cr" not in body(given, keep=KEEPABLE)


USER = "bob.smith-1"


@pytest.mark.parametrize("endpoint", [e for e in all_endpoints() if "{user_id}" in e.path], ids=lambda e: e.name)
def test_nobody_stands_in_a_path(endpoint: Any) -> None:
    filled = endpoint.path.replace("{user_id}", USER)
    exchange = Masking().exchange(filled)
    assert exchange.path(filled) == endpoint.path.replace("{user_id}", "xxx.xxxxx-0")
    assert exchange.words(f"{USER} is unknown") == "xxx.xxxxx-0 is unknown"
    assert Masking({"users"}).exchange(filled).path(filled) == filled


def test_a_path_is_else_as_it_was() -> None:
    for path in ("/v1/workspaces/7/members", "/v1/bots/7400000000000000002", "/v1/apps/7/collaborators"):
        assert Masking().exchange(path).path(path) == path
    assert Masking(KEEPABLE).exchange("/").path("/v1/x/pat_s3cr-et") == "/v1/x/xxx_x0xx-xx"
    assert Masking().exchange("/").path("/v1/x/bob@b.example/y") == "/v1/x/xxx@x.xxxxxxx/y"


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        ('{"user_id":13800138000,"userId":"u-7"}', '{"user_id":11111111111,"userId":"x-0"}'),
        ('{"creator_id":"u-7","owner_id":"u-7","member_id":7}', '{"creator_id":"x-0","owner_id":"x-0","member_id":1}'),
        ('{"creator":{"id":"u-7","name":"B"},"id":"9"}', '{"creator":{"id":"x-0","name":"x"},"id":"9"}'),
        ('{"members":[{"id":"u-7","type":"t"}]}', '{"members":[{"id":"x-0","type":"t"}]}'),
        ('{"account_id":"b@b.cn","id":"to b.c@b-c.example"}', '{"account_id":"x@x.xx","id":"to x.x@x-x.xxxxxxx"}'),
        ('{"meta_data":{"b@b.cn":1,"n":{"c@b.cn":1}}}', '{"meta_data":{"x@x.xx":1,"n":{"x@x.xx":1}}}'),
        ('{"content":"write to b@b.cn"}', '{"content":"write to x@x.xx"}'),
        (
            '{"debug_url":"https://www.coze.cn/w?user_id=u-7&id=9"}',
            '{"debug_url":"https://www.coze.cn/w?user_id=x-0&id=9"}',
        ),
    ],
)
def test_people_are_known_wherever_they_stand(given: str, masked: str) -> None:
    assert body(given, keep=("content",)) == masked
    assert body(given, keep=KEEPABLE) == given


def test_a_code_is_a_credential_where_one_logs_in_and_a_number_elsewhere() -> None:
    assert body('{"code":"720702204"}') == '{"code":"720702204"}'
    assert body('{"code":"720702204"}', path="/api/permission/oauth2/token") == '{"code":"000000000"}'
    assert body('{"code":720702204}', path="/api/permission/oauth2/token") == '{"code":720702204}'


def test_a_credential_that_was_seen_is_hidden_wherever_it_comes_again() -> None:
    masking = Masking(KEEPABLE)
    login = masking.exchange("/api/permission/oauth2/token")
    assert login.request_body(b'{"client_secret":"abcdefgh","client_id":"7"}') == {
        "client_secret": "xxxxxxxx",
        "client_id": "7",
    }
    exchange = masking.exchange(
        "/v3/chat", {"Authorization": "Bearer hush-hush-hush-1", "Cookie": "a=b; session_key=hush-hush-2"}
    )
    assert exchange.query({"x": "abcdefgh", "y": ["hush-hush-hush-1", "1"]}) == {
        "x": "xxxxxxxx",
        "y": ["xxxx-xxxx-xxxx-0", "1"],
    }
    assert exchange.headers({"Server": "hush-hush-2", "Set-Cookie": "hush-3", "X-Other": "1"}) == {
        "server": "xxxx-xxxx-0"
    }
    assert exchange.words("no hush-hush-hush-1 here") == "no xxxx-xxxx-xxxx-0 here"
    stream = b"event: hush-hush-hush-1\nid: abcdefgh\n: hush-hush-2\ndata: [hush-hush-hush-1\n\n"
    shown = exchange.body(200, STREAM, stream)
    assert b"hush" not in (shown or b"hush")
    assert b"abcdefgh" not in (shown or b"abcdefgh")


@pytest.mark.parametrize("token", ["any", "chat", "delta", "message", "conversation", "v3"])
def test_a_credential_that_is_a_word_spoils_no_other(token: str) -> None:
    exchange = Masking(KEEPABLE).exchange("/v3/chat", {"authorization": f"Bearer {token}"})
    stream = b'event:conversation.message.delta\ndata:{"conversation":"7","message":{"type":"chat","id":"delta"}}\n\n'
    assert exchange.body(200, STREAM, stream) == stream
    assert exchange.query({"conversation": "7"}) == {"conversation": "7"}
    assert exchange.path("/v3/chat") == "/v3/chat"
    assert exchange.words("Too many companies, and chats.") == "Too many companies, and chats."


def test_a_short_credential_is_hidden_in_words_and_a_long_one_wherever_it_is() -> None:
    short, longer, long = "ab-12", "abcd-1234", "abcd-1234-efgh-56"
    exchange = Masking(KEEPABLE).exchange("/v3/chat")
    exchange.request_body(json.dumps({"password": short, "token": longer, "secret": long}).encode())
    assert exchange.words(f"{short}: bad {short}!") == "xx-00: bad xx-00!"
    assert exchange.body(200, JSON, b'{"id":"ab-12","type":"abcd-1234","x":"xabcd-1234"}') == (
        b'{"id":"ab-12","type":"xxxx-0000","x":"xabcd-1234"}'
    )
    given = f'{{"y{long}y":"y{long}y"}}'
    assert exchange.body(200, JSON, given.encode()) == b'{"yxxxx-0000-xxxx-00y":"yxxxx-0000-xxxx-00y"}'


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
@pytest.mark.parametrize("token", ["k-1", "ab12", "pat_x", "a.b.c.d"])
def test_a_short_credential_that_was_sent_is_left_nowhere(header: str, token: str) -> None:
    sent = {"Authorization": f"Bearer {token}", "Cookie": f"sid={token}; lang=en"}[header]
    exchange = Masking(KEEPABLE).exchange("/v3/chat", {header: sent})
    assert token not in json.dumps(exchange.request_body(json.dumps({"q": f"my key is {token}", "id": token}).encode()))
    given = json.dumps({"msg": token, "id": token, "content": f"({token})", "parameters": {token: [token]}})
    shown = exchange.body(200, JSON, given.encode()) or b""
    assert len(shown) == len(given)
    assert token.encode() not in shown
    assert exchange.query({"page_token": token, "list": ["1", token]})["list"] != ["1", token]
    assert token not in exchange.path(f"/v1/x/{token}")
    # A part of another word, and what comes in a body of its own accord, may well be harmless.
    assert exchange.body(200, JSON, f'{{"id":"x{token}y"}}'.encode()) == f'{{"id":"x{token}y"}}'.encode()


def test_a_short_credential_that_was_met_before_is_still_looked_for_when_it_is_sent() -> None:
    masking = Masking(KEEPABLE)
    exchange = masking.exchange("/v3/chat")
    assert exchange.request_body(b'{"password":"ab-12","id":"ab-12"}') == {"password": "xx-00", "id": "ab-12"}
    exchange = masking.exchange("/v3/chat", {"Authorization": "Bearer ab-12"})
    assert exchange.request_body(b'{"id":"ab-12"}') == {"id": "xx-00"}


def test_a_credential_that_holds_another_is_hidden_whole() -> None:
    exchange = Masking().exchange("/v3/chat", {"authorization": "Bearer abcd", "cookie": "k=abcdef"})
    assert exchange.words("abcdef, abcd") == "xxxxxx, xxxx"


def test_what_was_harmless_is_not_once_it_is_known_for_a_credential() -> None:
    masking = Masking(KEEPABLE)
    exchange = masking.exchange("/v3/chat")
    assert exchange.body(200, JSON, b'{"id":"hush-123"}') == b'{"id":"hush-123"}'
    masking.learn("hush-123")
    assert exchange.body(200, JSON, b'{"id":"hush-123"}') == b'{"id":"xxxx-000"}'


def test_a_long_recording_does_not_pile_up_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async._masking._MOST_REPEATED", 3)
    masking = Masking(KEEPABLE)
    for number in range(10):
        masking.safe(f"text {number}")
        assert len(masking._safe) <= 3


def test_the_server_may_repeat_what_it_was_told_but_not_in_a_recording() -> None:
    exchange = Masking().exchange("/v3/chat")
    exchange.request_body(b'{"user_id":"u-77","content":"completed"}')
    answer = b'{"msg":"too many for u-77: completed","status":"completed"}'
    # A status that is the same as what somebody wrote is still a status.
    assert exchange.body(200, JSON, answer) == b'{"msg":"too many for x-00: xxxxxxxxx","status":"completed"}'
    assert exchange.words("u-77 again") == "x-00 again"
    # The next exchange is another user's.
    assert Masking().exchange("/v3/chat").words("u-77") == "u-77"


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        ('event:error\ndata:{"code":4020,"msg":"slow"}\n\n', None),
        ("event:error\ndata:node timed out\n\n", None),
        ("event:done\ndata:[DONE]\n\n", None),
        ('event: done\r\ndata: "[DONE]"\r\n\r\n', None),
        (': alive\n\nid: 1\nretry: 3\nevent:PING\ndata:{"content":"{}"}\n\n', None),
        ('event:x\ndata:{"content":"abc"}\n\n', 'event:x\ndata:{"content":"xxx"}\n\n'),
        ("event:x\ndata:no json\n\n", "event:x\ndata:xx xxxx\n\n"),
        # An error's words are the server's, and only an error's: the name holds for one event.
        ("event:error\ndata:timed out\n\ndata:abc\n\n", "event:error\ndata:timed out\n\ndata:xxx\n\n"),
        ("event:x\ndata:abc\nevent:error\ndata:full\n\n", "event:x\ndata:xxx\nevent:error\ndata:full\n\n"),
        # One JSON over several lines, and two events without a blank line between them.
        (
            'event:Message\ndata: {"content":\ndata: "abc",\ndata: "node_id":"7"}\n\n',
            'event:Message\ndata: {"content":\ndata: "xxx",\ndata: "node_id":"7"}\n\n',
        ),
        (
            'data:{"content":"a"}\nevent:b\ndata:{"content":"b"}',
            'data:{"content":"x"}\nevent:b\ndata:{"content":"x"}',
        ),
        # No stream after all.
        ('{"code":4016,"msg":"busy","detail":{"name":"abc"}}', '{"code":4016,"msg":"busy","detail":{"name":"xxx"}}'),
        ("what is this\n\n", "xxxx xx xxxx\n\n"),
        ('\ufeffdata:{"content":"a"}\rdata', '\ufeffdata:{"content":"x"}\rxxxx'),
    ],
)
def test_an_event_stream_keeps_its_form(given: str, masked: str | None) -> None:
    assert body(given, content_type="text/event-stream; charset=utf-8") == (masked or given)


def test_the_page_of_a_gateway_is_the_servers_and_any_other_text_is_somebodys() -> None:
    page = "<title>502 Bad Gateway</title>"
    assert body(page, status=502, content_type="text/html") == page
    assert body(page, status=200, content_type="text/html") == "<xxxxx>000 xxx xxxxxxx</xxxxx>"
    assert body(page, keep=("content",), content_type="text/plain") == page


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        ("cannot parse 'Smith'", "cannot parse 'xxxxx'"),
        ("SMITH is a long word, my is none", "xxxxx is a long word, my is none"),
        ("blacksmith is another", "blacksmith is another"),
        ("不能处理「我住在西湖」边", "不能处理「某某某某某」边"),
        ("西湖 is too short", "西湖 is too short"),
        ("mail to b@b.cn, call 13800138000 or +49 40 123456", "mail to x@x.xx, call 00000000000 or +00 00 000000"),
        ("chat 7400000000000000002 of 20261121104236138001380", "chat 7400000000000000002 of 20261121104236138001380"),
        ("user=ann&access_token=abc", "user=xxx&access_token=xxx"),
    ],
)
def test_a_server_may_quote_what_it_was_asked_but_not_in_a_recording(given: str, masked: str) -> None:
    def exchange(*keep: str) -> Any:
        begun = Masking(keep).exchange("/v3/chat")
        begun.request_body('{"content":"my name is Bob Smith, 我住在西湖边上"}'.encode())
        return begun

    asked = exchange()
    assert asked.words(given) == masked
    assert asked.body(500, {"content-type": "text/plain"}, given.encode()).decode() == masked
    assert asked.body(502, {"content-type": "text/html"}, f"<p>{given}".encode()).decode() == f"<p>{masked}"
    assert json.loads(asked.body(200, JSON, json.dumps({"msg": given}).encode()))["msg"] == masked
    assert exchange(*KEEPABLE).words(given) == given.replace("access_token=abc", "access_token=xxx")


def test_a_stream_is_known_by_its_looks() -> None:
    stream = 'id:1\nevent:x\ndata:{"content":"abc"}\n\n'
    for status in (200, 500):
        assert body(stream, status=status, content_type="text/plain") == stream.replace("abc", "xxx")


def test_a_header_that_holds_a_credential_is_remembered() -> None:
    exchange = Masking(KEEPABLE).exchange(
        "/v3/chat", {"X-Api-Key": "gateway-99", "X-Auth": "another-99", "X-Ok": "fine"}
    )
    assert (
        exchange.body(200, JSON, b'{"msg":"gateway-99, another-99, fine"}') == b'{"msg":"xxxxxxx-00, xxxxxxx-00, fine"}'
    )


def test_a_file_is_withheld_unless_content_is_kept() -> None:
    sound = b'{"\x00\xff'
    assert Masking().exchange("/v1/audio/speech").body(200, {"content-type": "audio/mpeg"}, sound) is None
    kept = Masking({"content"}).exchange("/v1/audio/speech").body(200, {"content-type": "audio/mpeg"}, sound)
    assert kept == sound


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.coze.cn", "https://api.coze.cn"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://bots.acme.example:8888", "https://xxxx.xxxx.xxxxxxx:0000"),
        ("https://api.coze.cn.acme.example", "https://xxx.xxxx.xx.xxxx.xxxxxxx"),
    ],
)
def test_the_name_of_a_host_of_ones_own_is_masked(url: str, shown: str) -> None:
    assert Masking().exchange("/").server(url) == shown
    assert Masking({"users"}).exchange("/").server(url) == url


@pytest.mark.parametrize("keep", ["content", ["contents"], ["credentials"]])
def test_what_cannot_be_kept_is_said(keep: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"choose from 'content', 'users', as in keep=\{'content'\}"):
        Masking(keep)


# No letter of a mask, and nothing that Coze's own names could hold.
SECRETS = st.text("QZJKäß龙井茶😀𝒳", min_size=4, max_size=12)
AROUND = st.text(max_size=6)


def shapes(secret: str, before: str, after: str) -> list[Any]:
    """Return places where people's words stand."""
    text = f"{before}{secret}{after}"
    inner = json.dumps({"msg_type": "x", "data": json.dumps({"slice": text, "status": text}, ensure_ascii=False)})
    return [
        {"content": text, "user_id": text, "name": [text]},
        {"content": inner, "data": inner},
        {"parameters": {"id": text, "deep": [{"type": text}]}, "access_token": text},
        {"id": "9", "reasoning_content": text, "usage": {"token_count": 1}},
    ]


@given(SECRETS, AROUND, AROUND, st.booleans(), st.integers(0, 3), st.sampled_from(["json", "stream", "lines"]))
@example("龙井茶", "", "\ud800", True, 1, "stream")
def test_nothing_that_is_masked_is_left_in_any_form(
    secret: str, before: str, after: str, ascii_only: bool, place: int, form: str
) -> None:
    text = json.dumps(shapes(secret, before, after)[place], ensure_ascii=ascii_only)
    kind = JSON if form == "json" else STREAM
    if form != "json":
        text = text if form == "stream" else text.replace(",", "\ndata:,")
        text = f"event:x\ndata:{text}\n\n"
    plain = text.encode("utf-8", "surrogatepass")
    masked = Masking().exchange("/v3/chat").body(200, kind, plain)
    assert masked is not None
    assert len(masked) == len(plain)
    shown = masked.decode("utf-8", "surrogateescape")
    for form_of_it in (secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3]):
        assert form_of_it not in shown
    if form == "json":
        # What was JSON still is, with the same keys.
        assert json.loads(shown).keys() == json.loads(text).keys()


@given(st.binary(max_size=200), st.sampled_from([STREAM, JSON, {"content-type": "text/html"}]))
def test_whatever_comes_is_as_long_as_before(content: bytes, headers: dict[str, str]) -> None:
    masked = Masking().exchange("/v3/chat").body(200, headers, content)
    assert masked is not None
    assert len(masked) == len(content)
