"""Every test has an app and engines of its own. What their libraries compile is shared in a run.

SQLAlchemy would compile each statement anew, werkzeug each rule of the URL map, and Jinja each
template: most of the time of a test. So the dialects of a kind count as one, and rules and
templates of the same text.
"""

from jinja2 import Environment
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache
from werkzeug.routing import Map, Rule

OPTIONS = ("trim_blocks", "lstrip_blocks", "keep_trailing_newline", "newline_sequence")


def share_compiled():
    """From now on; there is no public way."""
    share_rules()
    share_templates()
    compiled = LRUCache(4000)
    Engine._compiled_cache = property(lambda _: compiled, lambda *_: None)
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__hash__ = lambda dialect: hash(type(dialect))
        kind.__eq__ = lambda dialect, other: type(dialect) is type(other)


def share_rules():
    """Rules with values of their own, and those of maps with converters of their own, are not."""
    compile_rule, compiled = Rule.compile, {}

    def compile_once(rule):
        if rule.defaults or rule.map.host_matching or not usual(rule.map):
            compile_rule(rule)
            return
        key = (rule.rule, rule.subdomain, rule.merge_slashes)
        if key not in compiled:
            compile_rule(rule)
            compiled[key] = parts_of(rule)
            return
        rule._parts, rule._trace, rule._converters, arguments, builders = compiled[key]
        rule.arguments |= arguments
        rule._build, rule._build_unknown = (make.__get__(rule) for make in builders)

    Rule.compile = compile_once


def usual(url_map):
    return url_map.converters == Map.default_converters


def parts_of(rule):
    builders = rule._build.__func__, rule._build_unknown.__func__
    return rule._parts, rule._trace, rule._converters, frozenset(rule.arguments), builders


def share_templates():
    """Those of an environment with extensions are not."""
    compile_template, compiled = Environment.compile, {}

    def compile_once(env, source, name=None, filename=None, *args, **options):
        if args or options or env.extensions or not isinstance(source, str):
            return compile_template(env, source, name, filename, *args, **options)
        escape = env.autoescape(name) if callable(env.autoescape) else env.autoescape
        key = (type(env), escape, *(getattr(env, o) for o in OPTIONS), name, filename, source)
        if key not in compiled:
            compiled[key] = compile_template(env, source, name, filename)
        return compiled[key]

    Environment.compile = compile_once
