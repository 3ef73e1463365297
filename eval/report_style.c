/* eval/report_style.c: the page's style sheet: light and dark, desk and phone. */
#include "eval/report_parts.h"

static const char base[] =
    ":root{color-scheme:light dark;--bg:#fbfbfa;--fg:#1d2126;--soft:#646c76;--line:#e1e3e6;"
    "--card:#fff;--ours:#eef3fb;--bar:#c9d9f2;--good:#16784a;--bad:#b3362b;"
    "--c1:#2e64b8;--c2:#c4681a;--c3:#2b8a5e;--c4:#a13d8f;--c5:#8a7a1c;--c6:#4b5560}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#dfe3e8;--soft:#949da8;"
    "--line:#2b3037;--card:#1b1f25;--ours:#1d2836;--bar:#2b4265;--good:#56c48d;--bad:#ea7a6e;"
    "--c1:#7aa7ee;--c2:#eda15c;--c3:#66c79a;--c4:#d98acb;--c5:#cfc05e;--c6:#9aa5b1}}\n"
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"
    "'Segoe UI',Roboto,sans-serif}\n"
    "main{max-width:1120px;margin:0 auto;padding:40px 24px 72px}\n"
    "h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 4px;font-weight:650}\n"
    "h2{font-size:20px;letter-spacing:-.01em;margin:52px 0 14px;padding-top:18px;"
    "border-top:1px solid var(--line);font-weight:650}\n"
    "h3{font-size:15px;margin:26px 0 10px;font-weight:600}\n"
    "header p,.note{color:var(--soft);margin:6px 0}.note{font-size:13.5px}\n"
    "nav{display:flex;flex-wrap:wrap;gap:4px 18px;margin-top:14px;font-size:14px}\n"
    "a{color:var(--c1);text-decoration:none}a:hover{text-decoration:underline}\n"
    "details{margin:14px 0}summary{cursor:pointer;color:var(--c1);font-size:14.5px}\n"
    "pre{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:14px 16px;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\n";

static const char tables[] =
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
    "margin-top:28px}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:14px 16px}.card span{display:block;color:var(--soft);font-size:13px}\n"
    ".card b{font-size:27px;font-weight:620;letter-spacing:-.02em;"
    "font-variant-numeric:tabular-nums}.card small{font-size:15px;color:var(--soft);"
    "font-weight:400;margin-left:1px}\n"
    ".card .delta{display:block;min-height:18px}\n"
    ".delta{color:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}"
    "td .delta{display:block;line-height:1.2}.card .delta.up,.delta.up{color:var(--good)}"
    ".card .delta.down,.delta.down{color:var(--bad)}\n"
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:10px;"
    "background:var(--card)}\n"
    "table{border-collapse:collapse;width:100%;font-size:13.5px;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{padding:8px 9px;text-align:right;white-space:nowrap;vertical-align:top}"
    "thead "
    "th{color:var(--soft);font-weight:500;font-size:12.5px;white-space:normal;vertical-align:"
    "bottom;"
    "border-bottom:1px solid var(--line)}\n"
    "th:first-child{text-align:left;position:sticky;left:0;background:var(--card);"
    "font-weight:450;min-width:132px}tbody tr+tr>*{border-top:1px solid var(--line)}\n"
    "td.best{font-weight:680}td.best .delta{font-weight:400}"
    "tr.ours>*,tr.ours>th:first-child{background-color:var(--ours);font-weight:620}\n"
    ".bar{background-image:linear-gradient(var(--bar),var(--bar));background-repeat:no-repeat;"
    "background-size:var(--v) 3px;background-position:left bottom}td.bar{min-width:120px;"
    "background-size:calc(var(--v) * .5) 62%;background-position:left "
    "center;background-origin:content-box}\n";

static const char charts[] =
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(310px,1fr));gap:12px}\n"
    ".chart{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:12px 12px 8px}\n"
    ".chart figcaption{display:flex;justify-content:space-between;font-size:13.5px;"
    "margin:0 4px 6px;font-variant-numeric:tabular-nums}.chart figcaption b{font-weight:600}\n"
    ".chart svg{display:block;width:100%;height:auto}\n"
    ".axis line{stroke:var(--line);stroke-width:1}.axis text{fill:var(--soft);font-size:10.5px;"
    "font-family:inherit}\n"
    ".line{fill:none;stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}"
    ".line.faint{stroke-width:1;opacity:.32}\n"
    ".c1{stroke:var(--c1);--k:var(--c1)}.c2{stroke:var(--c2);--k:var(--c2)}"
    ".c3{stroke:var(--c3);--k:var(--c3)}.c4{stroke:var(--c4);--k:var(--c4)}"
    ".c5{stroke:var(--c5);--k:var(--c5)}.c6{stroke:var(--c6);--k:var(--c6)}.dot{fill:var(--k)}"
    "\n"
    ".legend{display:flex;flex-wrap:wrap;gap:2px 14px;list-style:none;margin:4px 4px 4px;"
    "padding:0;font-size:12px;color:var(--soft)}\n"
    ".legend li:before{content:'';display:inline-block;width:10px;height:3px;border-radius:2px;"
    "background:var(--k);margin-right:5px;vertical-align:middle}"
    ".legend b{color:var(--fg);font-weight:550}\n";

static const char examples[] =
    "article{display:grid;grid-template-columns:minmax(220px,400px) 1fr;gap:22px;"
    "background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px;"
    "margin:12px 0}article>.said:only-child{grid-column:1/-1}\n"
    ".pictures{display:grid;grid-template-columns:2fr 1fr;gap:10px;align-content:start}"
    ".pictures figure:only-child{grid-column:1/-1}"
    ".pictures figure{margin:0}"
    ".pictures img{display:block;max-width:100%;max-height:380px;border-radius:6px}"
    ".pictures figcaption{font-size:12px;color:var(--soft);margin-top:3px}\n"
    ".said{min-width:0}.chips{margin:0 0 8px;display:flex;flex-wrap:wrap;gap:6px}"
    ".chips span{font-size:12px;color:var(--soft);border:1px solid var(--line);"
    "border-radius:99px;padding:0 9px}.chips .good{color:var(--good);border-color:currentColor}"
    ".chips .bad{color:var(--bad);border-color:currentColor}\n"
    ".question{font-weight:600;margin:0 0 6px}\n"
    ".options{list-style:none;margin:0 0 12px;padding:0;font-size:14.5px}"
    ".options li{padding:1px 0}.options b{display:inline-block;width:1.5em;color:var(--soft);"
    "font-weight:550}.options .right,.options .right b{color:var(--good)}"
    ".options .wrong,.options .wrong b{color:var(--bad)}"
    ".options .chosen:after{content:' \\2190  chosen';font-size:12px}\n"
    ".completion{white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px;line-height:1.6;"
    "border-left:2px solid var(--line);padding:2px 0 2px 14px;color:var(--soft)}"
    ".completion i{font-style:normal;opacity:.6;font-size:12px;"
    "font-family:ui-monospace,Menlo,Consolas,monospace}\n"
    ".completion .seg{color:var(--c2)}.completion .think{color:var(--fg)}"
    ".completion .answer{color:var(--c1);font-weight:600}\n"
    ".rewards{display:grid;grid-template-columns:repeat(auto-fill,minmax(84px,1fr));gap:10px;"
    "margin:16px 0 0;font-size:12.5px;font-variant-numeric:tabular-nums}"
    ".rewards dt{color:var(--soft)}.rewards dd{margin:0;padding-bottom:6px}\n"
    "@media(max-width:720px){main{padding:24px 14px 56px}h1{font-size:25px}"
    "article{grid-template-columns:1fr;padding:14px}"
    ".cards{grid-template-columns:repeat(2,1fr)}.charts{grid-template-columns:1fr}}\n"
    "@media print{details{display:none}.chart,article,.scroll{break-inside:avoid}}\n";

void judo_report_style(FILE *out)
{
    fputs("<style>\n", out);
    fputs(base, out);
    fputs(tables, out);
    fputs(charts, out);
    fputs(examples, out);
    fputs("</style>\n", out);
}
