import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.secrets import PREFIX, Pepper, digest_of, digest_of_sha256, digests_of, is_ours, new_secret

OLD, NEW = Pepper("old", b"o" * 32), Pepper("new", b"n" * 32)


class TestNewSecret:
    def test_it_can_be_recognised(self) -> None:
        secret = new_secret()
        assert secret.startswith(PREFIX)
        assert is_ours(secret)

    def test_it_has_one_length_and_letters_that_survive_copying(self) -> None:
        secrets = [new_secret() for _ in range(200)]
        assert {len(secret) for secret in secrets} == {42}
        assert all(secret.removeprefix(PREFIX).isalnum() for secret in secrets)

    def test_it_is_never_the_same(self) -> None:
        assert len({new_secret() for _ in range(1000)}) == 1000

    def test_it_shows_a_typing_mistake(self) -> None:
        secret = new_secret()
        wrong = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]
        assert not is_ours(wrong)

    @pytest.mark.parametrize("text", ["", "gh-", "my own secret", "gh-" + "é" * 39, "gh-" + "0" * 39])
    def test_it_is_told_from_what_a_caller_chose(self, text: str) -> None:
        assert not is_ours(text)


class TestDigest:
    def test_it_is_a_keyed_hash_of_a_hash(self) -> None:
        inner = hashlib.sha256(b"my secret").digest()
        expected = hmac.new(b"n" * 32, inner, hashlib.sha256).hexdigest()
        assert digest_of("my secret", NEW) == f"new:{expected}"

    def test_it_takes_the_hash_that_another_gateway_stored(self) -> None:
        stored = hashlib.sha256(b"my secret").digest()
        assert digest_of_sha256(stored, NEW) == digest_of("my secret", NEW)

    def test_it_depends_on_the_pepper(self) -> None:
        assert digest_of("my secret", NEW) != digest_of("my secret", Pepper("new", b"x" * 32))

    def test_it_gives_one_for_each_pepper_in_their_order(self) -> None:
        assert digests_of("my secret", [NEW, OLD]) == (digest_of("my secret", NEW), digest_of("my secret", OLD))

    @given(st.text(alphabet=st.characters(exclude_categories=())))
    def test_any_text_can_be_a_secret(self, secret: str) -> None:
        assert digest_of(secret, NEW).startswith("new:")

    def test_a_pepper_does_not_show_itself(self) -> None:
        assert "canary" not in repr(Pepper("id", b"canary"))
