#include "cli/page.h"

#include <inttypes.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light "
    "dark;--ink:#1d2a1f;--dim:#5f6f62;--paper:#fbfaf6;--card:#fff;"
    "--line:#dfe3da;--a:#3f7d4e;--b:#c98a1b;--c:#8a5a9e}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e7ece6;--dim:#9aa89c;--paper:#161b17;"
    "--card:#1e2520;--line:#364038;--a:#77b987;--b:#e3b04b;--c:#c39bd3}}"
    "body{margin:0 auto;max-width:1000px;padding:24px 16px 48px;background:var(--paper);"
    "color:var(--ink);font:15px/1.5 system-ui,sans-serif}"
    "h1{font-size:24px;margin:0}h2{font-size:17px;margin:32px 0 8px}"
    "p{margin:6px 0}.dim{color:var(--dim)}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:"
    "10px;"
    "margin:16px 0}.card{background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;padding:10px 12px}.card b{display:block;font-size:20px;"
    "font-variant-numeric:tabular-nums}.card span{color:var(--dim);font-size:13px}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;min-width:50%}.strips{width:"
    "100%}"
    "td,th{padding:5px 8px;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}code{font-size:13px}"
    "svg{display:block;width:100%}"
    ".frame{position:relative;height:190px;margin:12px 6px 28px 64px;border:solid "
    "var(--line);border-width:0 0 1px 1px}.frame svg{height:100%}"
    ".frame span{position:absolute;color:var(--dim);font-size:12px;line-height:1;"
    "white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".frame .y{right:calc(100% + 8px);transform:translateY(50%)}"
    ".frame .x{top:calc(100% + 8px);transform:translateX(-50%)}"
    ".grid,.limit{fill:none;stroke:var(--line);vector-effect:non-scaling-stroke}"
    "path.limit{stroke:var(--ink);stroke-dasharray:6 4}"
    ".key span{margin-right:16px;white-space:nowrap}.key i{display:inline-block;width:"
    "12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}"
    ".key i.limit{height:0;border-top:2px dashed var(--ink);border-radius:0;"
    "vertical-align:4px}"
    "details{margin:6px 0}summary{cursor:pointer;color:var(--dim);font-size:13px}"
    "pre{overflow-x:auto;font-size:13px}"
    ".strips td{width:100%;padding:0;vertical-align:middle}.strips "
    "th{font-weight:400;white-space:nowrap}"
    ".strips svg{height:16px}"
    ".left{border-left:3px solid var(--b);padding-left:12px}"
    "@media(max-width:640px){.frame .few{display:none}.frame{margin-left:52px;height:"
    "160px}.card b{font-size:17px}.strips th{white-space:normal;font-size:13px}}";

void page_begin(FILE *to, const char *title, const char *heading)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
          "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>",
          to);
    page_text(to, title);
    page_text(to, heading);
    fprintf(to, "</title><style>%s</style></head><body>\n<h1>", style);
    page_text(to, heading);
    fputs("</h1>\n", to);
}

void page_end(FILE *to)
{
    fputs("</body></html>\n", to);
}

void page_text(FILE *to, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            fputc(*s, to);
        }
    }
}

const char *page_count(int64_t n, char out[PAGE_COUNT_MAX])
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n), at = 0;

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

void page_card(FILE *to, const char *value, const char *label)
{
    fputs("<div class=\"card\"><b>", to);
    page_text(to, value);
    fputs("</b><span>", to);
    page_text(to, label);
    fputs("</span></div>\n", to);
}
