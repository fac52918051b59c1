"""What stands in the form of a sign-in that failed: the name, and never the password."""

import re


def test_after_a_wrong_password_the_name_stays_and_the_password_does_not(world):
    world.person("dora", password="a long password")
    browser = world.app.test_client()
    typed = {"name": 'do"ra <b>', "password": "my s3cret", "next": "/security/history"}
    for form in (typed, typed | {"password": ""}):
        page = browser.post("/sign-in", data=form, headers={"Accept": "text/html"})
        assert page.status_code == 401
        (name,) = re.findall('<input id="name"[^>]*>', page.text)
        assert 'value="do&#34;ra &lt;b&gt;"' in name
        assert 'name="next" value="/security/history"' in page.text
        assert "my s3cret" not in page.text
