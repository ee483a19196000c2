"""Mail domains in which everybody can have an address, so that they tell nobody's company."""

import re

FREE_MAIL = frozenset(
    {
        "126.com",
        "139.com",
        "163.com",
        "aol.com",
        "arcor.de",
        "bigpond.com",
        "bk.ru",
        "bluewin.ch",
        "btinternet.com",
        "comcast.net",
        "cox.net",
        "daum.net",
        "email.com",
        "fastmail.com",
        "foxmail.com",
        "free.fr",
        "freenet.de",
        "gmail.com",
        "googlemail.com",
        "hanmail.net",
        "hey.com",
        "hushmail.com",
        "icloud.com",
        "inbox.ru",
        "laposte.net",
        "libero.it",
        "list.ru",
        "mac.com",
        "mail.com",
        "mail.ru",
        "me.com",
        "naver.com",
        "o2.pl",
        "onet.pl",
        "orange.fr",
        "pm.me",
        "posteo.de",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "rambler.ru",
        "rediffmail.com",
        "sbcglobal.net",
        "seznam.cz",
        "sfr.fr",
        "sina.com",
        "t-online.de",
        "telenet.be",
        "tiscali.it",
        "tuta.com",
        "tutanota.com",
        "uol.com.br",
        "verizon.net",
        "virgilio.it",
        "wanadoo.fr",
        "web.de",
        "wp.pl",
        "ya.ru",
        "yandex.com",
        "yandex.ru",
        "yeah.net",
        "zoho.com",
    }
)
# These are given out under the domain of nearly every country.
EVERYWHERE = re.compile(r"^(gmx|hotmail|live|msn|outlook|yahoo|ymail)\.([a-z]{2,3}|com?\.[a-z]{2})$")


def is_free_mail(domain: str) -> bool:
    """Say whether a normalised domain is one that a mail provider gives to everybody."""
    return domain in FREE_MAIL or EVERYWHERE.match(domain) is not None
