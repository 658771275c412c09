"""The plain page for a browser that cannot be sent back to any app. It repeats nothing that was sent."""

from __future__ import annotations

from collections.abc import Mapping

from wallet_api.identity.oauth.model import Answer

_TEXTS: Mapping[str, tuple[int, str, str]] = {
    "sign_in_expired": (
        400,
        "Lượt đăng nhập này đã hết hạn hoặc đã được dùng. Hãy mở lại ứng dụng và đăng nhập lại.",
        "This sign-in has expired or was used already. Open the app again and sign in anew.",
    ),
    "bad_sign_in_request": (
        400,
        "Yêu cầu đăng nhập không hợp lệ. Hãy mở lại ứng dụng chính thức và đăng nhập lại.",
        "This sign-in request is not valid. Open the official app again and sign in anew.",
    ),
}
_PAGE = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><title>Ví sức khỏe</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Không đăng nhập được <span lang="en">/ Sign-in failed</span></h1>
<p>{vi}</p><p lang="en">{en}</p><p><code>{code}</code></p></main></body></html>
"""
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


def problem_page(code: str) -> Answer:
    """The page for one of our codes, in Vietnamese and English."""
    status, vietnamese, english = _TEXTS[code]
    return Answer(status, _PAGE.format(vi=vietnamese, en=english, code=code), _HEADERS)
