"""What a row may hold in the place of a password hash that opens."""

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # the digest of "hello"
ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$"
FOREIGN = [
    "",
    " ",
    "hello",
    HELLO,
    "$2b$04$",
    "$2b$04$" + "a" * 52,
    "$2b$04$" + "a" * 54,
    "$2b$03$" + "a" * 53,
    "$2b$99$" + "a" * 53,
    "$2b$04$" + "a" * 52 + "\u00e9",
    "$2b$04$" + "a" * 53 + "\n",
    "$2$04$" + "a" * 53,
    "scrypt:32768:8:1$salt$" + "0" * 128,
    "pbkdf2:sha256:600000$salt$" + "0" * 64,
    "$5$rounds=1000$salt$hash",
    ARGON2,
    "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=65536,t=100000,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=65536,t=3,p=4$\u00e9$aGFzaGhhc2g",
]
