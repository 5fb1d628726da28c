"""The page of model cards and comparisons: one template and one style sheet, nothing fetched from anywhere.

They are Python strings and not files beside the code, because a step's fingerprint covers its modules: a card is made
anew when its page changes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE = """
:root{--ink:#1b2430;--soft:#5b6675;--line:#dde2e8;--paper:#fff;--wash:#f5f7f9;--first:#0b5fa5;--second:#c4561a;
--good:#1d7a46;--bad:#b3261e;--held:#8a5a00;--still:#7b8591}
@media screen and (prefers-color-scheme:dark){
:root{color-scheme:dark;--ink:#e4e9ef;--soft:#a5b0bd;--line:#36404c;--paper:#1a212a;--wash:#11161c;--first:#6cb2f0;
--second:#f0955a;--good:#5cc98c;--bad:#ff8d84;--held:#e2b14c;--still:#8b95a1}
}
*{box-sizing:border-box}
body{margin:0;background:var(--wash);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%;print-color-adjust:exact;
-webkit-print-color-adjust:exact}
main{max-width:1120px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:26px;line-height:1.2;margin:0}
h2{font-size:18px;margin:0 0 10px}
h3{font-size:14px;margin:0 0 6px}
p{margin:0 0 10px}
small,.note,figcaption{color:var(--soft);font-size:13px}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:16px;margin-top:16px}
header{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:center}
header p{flex-basis:100%;margin:0;color:var(--soft)}
.badge{font-weight:600;border-radius:99px;padding:2px 12px;color:var(--paper);background:var(--soft)}
.approve{background:var(--good)}.reject{background:var(--bad)}.pending{background:var(--held)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin-top:16px}
.tile{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.tile b{display:block;font-size:21px;line-height:1.3;font-variant-numeric:tabular-nums}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:16px 28px}
.grid2>*{min-width:0}
figure{margin:0}
svg{display:block;width:100%;height:auto}
svg text{font-size:12px;fill:var(--soft)}
svg path{fill:none}
.axis{stroke:var(--soft)}.grid{stroke:var(--line)}.whisker{stroke-width:1!important;opacity:.55}
.s0{stroke:var(--first);stroke-width:2}.s1{stroke:var(--second);stroke-width:2}
.s2{stroke:var(--still);stroke-width:1.5;stroke-dasharray:3 3}
.s0 circle{fill:var(--first);stroke:none}.s1 circle{fill:var(--second);stroke:none}
rect.s0{fill:var(--first);stroke:none}rect.s1{fill:var(--second);stroke:none}
.key{display:inline-block;width:14px;height:0;border-top:3px solid;vertical-align:middle;margin:0 5px 0 0}
.k0{color:var(--first)}.k1{color:var(--second)}.k2{color:var(--still);border-top-style:dotted}
figcaption span{display:inline-block;margin-right:14px}
figcaption>div+div{margin-top:4px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:6px 10px 6px 0;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600;font-size:13px}
tbody th{font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.mark{font-weight:700;white-space:nowrap}.ok{color:var(--good)}.no{color:var(--bad)}.warn{color:var(--held)}
code{font:12.5px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
ul{margin:0 0 12px;padding-left:20px}li{overflow-wrap:anywhere}
.bars{display:grid;grid-template-columns:minmax(90px,max-content) 1fr max-content;gap:4px 10px;align-items:center;
font-size:13px}
.bars>span:nth-child(3n){font-variant-numeric:tabular-nums;text-align:right}
.bars>span:nth-child(3n+1){overflow-wrap:anywhere}
.track{position:relative;height:12px;background:var(--wash);border-radius:2px}
.track i{position:absolute;left:0;top:0;bottom:0;border-radius:2px;background:var(--first)}
.track i.over{background:var(--bad)}
.track b{position:absolute;top:-3px;bottom:-3px;border-left:2px solid var(--ink)}
dl{display:grid;grid-template-columns:fit-content(42%) 1fr;gap:4px 16px;margin:0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;min-width:0}
details{margin-top:10px}summary{cursor:pointer;color:var(--first)}
@media(max-width:640px){
main{padding:14px 10px 32px}h1{font-size:22px}section{padding:13px 12px}
.tiles{grid-template-columns:1fr 1fr}.tile{padding:8px 10px}.tile b{font-size:18px}
table.stack thead{display:none}
table.stack,table.stack tbody,table.stack tr,table.stack td,table.stack th{display:block;padding:0;border:0}
table.stack tr{border-bottom:1px solid var(--line);padding:8px 0}
table.stack td.mark{float:left;margin-right:8px}
table.stack td.n{display:inline-block;text-align:left;margin-right:14px;color:var(--soft);white-space:normal}
table.stack td.n:empty{display:none}
table.stack td.n::before{content:attr(data-name) " "}
td.n,th.n{white-space:normal;overflow-wrap:anywhere}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
.bars{grid-template-columns:minmax(80px,38%) 1fr max-content}
svg text{font-size:13.5px}
}
@media print{
@page{margin:14mm}
body{background:#fff;font-size:10.5pt}main{max-width:none;padding:0}
section,.tile{border-color:#c9d0d8}section{padding:10px 12px;margin-top:10px}
h2,.note{break-after:avoid}figure,tr,.tile,.bars,li{break-inside:avoid}
.grid2{grid-template-columns:1fr 1fr}.tiles{grid-template-columns:repeat(6,1fr)}.tile b{font-size:13pt}
details{display:none}
}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
{% block body %}{% endblock %}
</main>
</body>
</html>
"""

_PARTS = """{% macro bars(items) %}
<div class="bars">
{%- for item in items %}
<span>{{ item.name }}</span>
<span class="track"><i{% if item.is_over %} class="over"{% endif %} style="width:{{ item.share }}%"></i>
{%- if item.limit_share is not none %}<b style="left:{{ item.limit_share }}%"></b>{% endif %}</span>
<span>{{ item.text }}</span>
{%- endfor %}
</div>
{%- endmacro %}
{%- macro figure(chart) %}
<figure>
<h3>{{ chart.title }}</h3>
{{ chart.svg }}
<figcaption><div>
{%- for style, name in chart.legend %}<span><i class="key k{{ style }}"></i>{{ name }}</span> {% endfor -%}
</div>{% if chart.note %}<div>{{ chart.note }}</div>{% endif %}</figcaption>
</figure>
{%- endmacro %}
{%- macro facts(pairs) %}
<dl>
{%- for name, value in pairs %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{%- endfor %}
</dl>
{%- endmacro %}
{%- macro tiles(items) %}
<div class="tiles">
{%- for name, value, note in items %}
<div class="tile"><small>{{ name }}</small><b>{{ value }}</b><small>{{ note }}</small></div>
{%- endfor %}
</div>
{%- endmacro %}
"""

_CARD = """{% extends "page" %}
{% from "parts" import bars, facts, figure, tiles %}
{% block body %}
<header>
<h1>{{ title }}</h1>
<span class="badge {{ verdict.outcome }}">{{ verdict.word }}</span>
<p>{{ subtitle }}</p>
</header>
{{ tiles(key_figures) }}
<section>
<h2>Verdict</h2>
{%- if verdict.reasons %}
<ul>
{%- for reason in verdict.reasons %}
<li>{{ reason }}</li>
{%- endfor %}
</ul>
{%- else %}
<p>Every gate passed.</p>
{%- endif %}
<table class="stack">
<thead><tr><th scope="col"><span class="unseen">result</span></th><th scope="col">gate</th>
<th scope="col" class="n">value</th><th scope="col" class="n">limit</th><th scope="col" class="n">std. error</th>
<th scope="col" class="n">rows</th></tr></thead>
<tbody>
{%- for check in verdict.checks %}
<tr><td class="mark {{ check.style }}"><span aria-hidden="true">{{ check.mark }}</span>
<span class="unseen">{{ check.word }}</span></td>
<td><code>{{ check.name }}</code><br>{{ check.sentence }}
{%- if check.remedy %}<br><small>What to do: {{ check.remedy }}</small>{% endif %}</td>
<td class="n" data-name="value">{{ check.value }}</td><td class="n" data-name="limit">{{ check.limit }}</td>
<td class="n" data-name="std. error">{{ check.standard_error }}</td>
<td class="n" data-name="rows">{{ check.rows }}</td></tr>
{%- endfor %}
</tbody>
</table>
</section>
<section>
<h2>Quality on the validation rows</h2>
<p class="note">{{ judged_on }}</p>
<div class="grid2">
{%- for chart in curves %}{{ figure(chart) }}{% endfor %}
</div>
</section>
{%- if slices %}
<section>
<h2>Slices</h2>
<p class="note">{{ slices.note }}</p>
<table class="stack">
<thead><tr><th scope="col">slice</th><th scope="col" class="n">rows</th><th scope="col" class="n">rarer label</th>
<th scope="col" class="n">log loss</th><th scope="col" class="n">champion</th><th scope="col" class="n">change</th>
<th scope="col" class="n">p (Holm)</th></tr></thead>
<tbody>
{%- for row in slices.rows %}
<tr><th scope="row">{{ row.name }}{% if row.is_worse %} <span class="no">worse</span>{% endif %}</th>
<td class="n" data-name="rows">{{ row.rows }}</td><td class="n" data-name="rarer label">{{ row.minority_rows }}</td>
<td class="n" data-name="log loss">{{ row.candidate }}</td><td class="n" data-name="champion">{{ row.champion }}</td>
<td class="n" data-name="change">{{ row.change }}</td><td class="n" data-name="p (Holm)">{{ row.p_value }}</td></tr>
{%- endfor %}
</tbody>
</table>
</section>
{%- endif %}
<section>
<h2>Drift against the champion's training data</h2>
{%- if drift %}
<p class="note">{{ drift.note }}</p>
<div class="grid2">
<div><h3>Population stability index, the {{ drift.psi|length }} nearest to their limits or beyond</h3>
{{ bars(drift.psi) }}
<p class="note">{{ drift.psi_note }}</p></div>
{%- for chart in drift.histograms %}{{ figure(chart) }}{% endfor %}
<div><h3>Missing and unknown values</h3>{{ facts(drift.facts) }}</div>
</div>
{%- else %}
<p>There was no champion to compare with: this is the first model of its type.</p>
{%- endif %}
</section>
<section>
<h2>Labels and data</h2>
<div class="grid2">
{%- for chart in label_charts %}{{ figure(chart) }}{% endfor %}
<div><h3>Window and counts</h3>{{ facts(data) }}</div>
</div>
</section>
<section>
<h2>The model</h2>
<div class="grid2">
<div><h3>Feature importance</h3>{{ bars(importance) }}<p class="note">{{ importance_note }}</p></div>
<div><h3>Parameters</h3>{{ facts(parameters) }}</div>
</div>
<details><summary>All features ({{ features|length }})</summary><p><code>{{ features|join(", ") }}</code></p></details>
</section>
<section>
<h2>Where it comes from</h2>
<dl>
<dt>fingerprint</dt><dd><code>{{ fingerprint }}</code></dd>
<dt>code version</dt><dd><code>{{ code_version }}</code></dd>
</dl>
<br>
<table class="stack">
<thead><tr><th scope="col">made from</th><th scope="col">artifact</th><th scope="col">content</th></tr></thead>
<tbody>
{%- for entry in lineage %}
<tr><th scope="row">{{ entry.name }}</th><td><code>{{ entry.uri }}</code></td>
<td><code>{{ entry.content_hash[:16] }}</code></td></tr>
{%- endfor %}
</tbody>
</table>
</section>
{% endblock %}
"""

_COMPARISON = """{% extends "page" %}
{% from "parts" import figure, tiles %}
{% block body %}
<header><h1>{{ title }}</h1><p>{{ subtitle }}</p></header>
{{ tiles(key_figures) }}
<section>
<h2>Side by side</h2>
<table>
<thead><tr><td></td><th scope="col" class="n">{{ names[0] }}</th>
<th scope="col" class="n">{{ names[1] }}</th></tr></thead>
<tbody>
{%- for row in rows %}
<tr><th scope="row">{{ row[0] }}</th><td class="n">{{ row[1] }}</td><td class="n">{{ row[2] }}</td></tr>
{%- endfor %}
</tbody>
</table>
</section>
{%- if curves %}
<section>
<h2>On the same rows</h2>
<p class="note">{{ shared_note }}</p>
<div class="grid2">
{%- for chart in curves %}{{ figure(chart) }}{% endfor %}
</div>
</section>
{%- endif %}
<section>
<h2>What differs in how they were made</h2>
{%- if differences %}
<table>
<thead><tr><td></td><th scope="col">{{ names[0] }}</th><th scope="col">{{ names[1] }}</th></tr></thead>
<tbody>
{%- for row in differences %}
<tr><th scope="row">{{ row[0] }}</th><td>{{ row[1] }}</td><td>{{ row[2] }}</td></tr>
{%- endfor %}
</tbody>
</table>
{%- else %}
<p>Architecture, parameters, seed, class weights and features are the same.</p>
{%- endif %}
</section>
{% endblock %}
"""


def render_card(content: Mapping[str, Any]) -> str:
    """The card's HTML; `content` has a value for every name in the template, and none is missing silently.

    Raises:
        jinja2.UndefinedError: a name of the template is not in `content`.
    """
    return _render("card", content)


def render_comparison(content: Mapping[str, Any]) -> str:
    """The HTML of a comparison of two versions, as `render_card`."""
    return _render("comparison", content)


def _render(name: str, content: Mapping[str, Any]) -> str:
    from markupsafe import Markup

    style = Markup(STYLE)  # noqa: S704 - a constant of this module
    return _environment().get_template(name).render(style=style, **content)


@functools.cache
def _environment() -> Environment:
    """The templates, which are compiled once per process."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.DictLoader({"page": _PAGE, "parts": _PARTS, "card": _CARD, "comparison": _COMPARISON}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
