/**
 * How the page looks: light, dark and printed. Lines take colours of Okabe and Ito, which the colour-blind tell apart;
 * weights and shares take sixteen blues of evenly rising lightness (OKLCH), from the page's own shade to its opposite.
 */

/** The sixteen shades of a weight from 0 to 1, on a light page and on a dark one. */
export const SHADES = {
  light: [
    ..."f0f8fc d3ecfb b6e0fa 9bd2f8 81c5f4 6ab6ef 56a7e7 4698dd 3a89d1 327ac2 2d6cb1 2b5e9e 29518a 274474 24385f 202d49"
      .split(" "),
  ],
  dark: [
    ..."1d2638 20324c 223d60 224a74 205788 1d659a 1b73aa 1e82b8 2891c4 38a0cf 4caed7 63bcde 7dcae4 97d7ea b3e3ef ceeff6"
      .split(" "),
  ],
} as const;

/** The class of a weight's shade, from "h0" to "h15". */
export function shade(weight: number): string {
  const last = SHADES.light.length - 1;
  return `h${Number.isFinite(weight) ? Math.min(last, Math.max(0, Math.floor(weight * (last + 1)))) : 0}`;
}

/** Black or white, whichever can be read better on a colour: the contrast is 4.5 at least on every one there is. */
function ink(hex: string): string {
  const linear = [0, 2, 4].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
  return luminance > 0.1791 ? "000" : "fff";
}

const shades = (colours: readonly string[]) =>
  colours.map((hex, i) => `.h${i}{fill:#${hex};background:#${hex};color:#${ink(hex)}}`).join("");

const LIGHT = ":root{--page:#f6f7f9;--card:#fff;--text:#1c2024;--quiet:#59616b;--rule:#d9dee4;--grid:#e6e9ed;" +
  "--blue:#0072b2;--red:#d55e00;--green:#00795a;--grey:#7b848e;--good:#00664b;--bad:#a63f00;--accent:#c8622a}";
const DARK = ":root{--page:#0e1116;--card:#171b21;--text:#e8ebef;--quiet:#a3acb7;--rule:#31373f;--grid:#2a3037;" +
  "--blue:#56b4e9;--red:#f0a34a;--green:#2fc79d;--grey:#8b949e;--good:#3fd0a8;--bad:#ffab70;--accent:#e08a54}";

/** The page's style sheet. */
export const STYLE: string = `${LIGHT}${shades(SHADES.light)}
@media screen and (prefers-color-scheme:dark){${DARK}${shades(SHADES.dark)}}
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 20px}
header{padding-top:32px}
header::before{content:"";display:block;width:44px;height:5px;border-radius:3px;background:var(--accent);margin-bottom:14px}
h1{font-size:28px;line-height:1.2;font-weight:680;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
h2{font-size:19px;font-weight:650;letter-spacing:-.01em;margin:40px 0 4px}
h3{font-size:15px;font-weight:650;margin:0;overflow-wrap:anywhere}
p{margin:4px 0}
.sub,.note,footer,figcaption p{color:var(--quiet)}
.sub{font-size:16px;overflow-wrap:anywhere}
.note{font-size:14px;max-width:92ch;margin-bottom:12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,150px),1fr));gap:12px;margin:22px 0 12px;padding:0}
.tiles div,figure,.card{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tiles div{padding:12px 16px}
.tiles dt,.settings dt{color:var(--quiet);font-size:13px}
.tiles dd{margin:0;font-size:26px;font-weight:640;line-height:1.25;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.tiles dd small{display:block;font-size:13px;font-weight:400;letter-spacing:0;color:var(--quiet)}
.settings{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:0 28px;margin:0;padding:8px 16px}
.settings div{display:flex;justify-content:space-between;align-items:baseline;gap:16px;padding:5px 0;border-bottom:1px solid var(--grid)}
.settings dd{margin:0;text-align:right;overflow-wrap:anywhere;font-size:14px;font-variant-numeric:tabular-nums}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:16px;align-items:start}
.grid>*{min-width:0}
@media screen and (min-width:900px){.grid>figure:last-child:nth-child(odd){grid-column:1/-1;display:grid;grid-template-columns:minmax(0,1fr) minmax(0,2fr);column-gap:24px}.grid>figure:last-child:nth-child(odd)>*{grid-column:2}.grid>figure:last-child:nth-child(odd)>figcaption{grid-column:1;grid-row:1/9}.grid>figure:last-child:nth-child(odd) svg{font-size:8.5px}.grid>figure:last-child:nth-child(odd) .range{font-size:7.4px}}
.beside{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start}
.beside>*{min-width:0;max-width:100%}
.wide{flex:1 0 auto}
figure{margin:0;padding:14px 16px 12px;break-inside:avoid}
figcaption{margin-bottom:8px}
figcaption p{font-size:14px}
.head{display:flex;justify-content:space-between;align-items:baseline;gap:12px}
svg{display:block;width:100%;height:auto;font-size:12px;font-variant-numeric:tabular-nums;overflow:visible}
svg text{fill:var(--quiet);white-space:pre}
svg .name{fill:var(--text)}
.g{stroke:var(--grid)}
.m{stroke:var(--grey);stroke-dasharray:2 3}
.l{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.a{stroke:var(--blue)}.b{stroke:var(--red);stroke-dasharray:6 4}.c{stroke:var(--grey)}.d{stroke:var(--green)}
.dot,.ring{stroke-dasharray:none}
.dot.a,tspan.a{fill:var(--blue)}.dot.b,tspan.b{fill:var(--red)}.dot.c,tspan.c{fill:var(--grey)}.dot.d,tspan.d{fill:var(--green)}
tspan{stroke:none}
.strip{shape-rendering:crispEdges}
.frame{fill:none;stroke:var(--rule)}
.range{font-size:10.5px}
.thin{stroke-width:1.5}
.ring{fill:var(--card);stroke-width:2.5}
.point{fill:var(--blue);fill-opacity:.55}
.stop rect{fill:none;pointer-events:all}
.stop path,.stop text{visibility:hidden;pointer-events:none}
.stop path{stroke:var(--grey)}
.stop text{fill:var(--text)}
.stop:hover path,.stop:hover text{visibility:visible}
svg:has(.stop:hover) .legend{visibility:hidden}
.scroll{overflow-x:auto;max-width:100%;padding:14px 16px}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
th{font-weight:500;text-align:left;unicode-bidi:isolate}
td{text-align:right}
.list{width:100%}
.list th,.list td{padding:4px 8px;border-bottom:1px solid var(--grid)}
.list thead th{color:var(--quiet);font-size:13px;text-align:right;vertical-align:bottom}
.list thead th:first-child{text-align:left}
.list tbody th{max-width:22ch;overflow-wrap:break-word}
.list td{white-space:nowrap}
.list svg{width:48px;display:inline-block;vertical-align:middle;margin-left:7px}
.bar{fill:var(--blue)}.rail{fill:var(--grid)}
.matrix{border-collapse:separate;border-spacing:2px}
.matrix td{min-width:34px;height:34px;padding:2px 4px;text-align:center;border-radius:3px;line-height:1.15}
.matrix thead td{height:auto}
.matrix td small{display:block;font-size:11px}
.matrix .yes{outline:2px solid var(--text);outline-offset:-2px}
.matrix.small tbody td{min-width:58px;height:46px;font-size:16px}
.matrix tbody td.share{font-size:13px;padding-left:6px}
.matrix.large{font-size:12px;border-spacing:1px}
.matrix.large td{min-width:25px;height:25px;padding:1px}
.matrix tbody th,.matrix thead th{color:var(--quiet);font-size:13px;max-width:16ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.matrix tbody th{text-align:right;padding-right:6px;position:sticky;left:-16px;background:var(--card);padding-left:4px}
.matrix thead th{text-align:center;vertical-align:bottom;font-weight:500}
.matrix .up{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;max-height:15ch;max-width:none;padding:4px 0}
.matrix.large thead th,.matrix.large tbody th{font-size:12px}
.matrix .axis{color:var(--text);font-weight:600}
.badge{font-size:13px;font-weight:650;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}
.said{font-size:14px;overflow-wrap:anywhere}
.said b{font-weight:650;unicode-bidi:isolate}
.tokens{line-height:2;overflow-wrap:anywhere;margin:6px 0}
.tokens span{padding:2px 4px;border-radius:3px;white-space:pre-wrap;unicode-bidi:isolate;-webkit-box-decoration-break:clone;box-decoration-break:clone}
.letters{font:17px/1.9 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.letters span{border-radius:0;padding:3px 2px}
.scale{display:inline-flex;vertical-align:middle;height:11px;width:112px;margin:0 6px;border-radius:3px;overflow:hidden}
.scale i{flex:1}
details{margin-top:14px}
summary{cursor:pointer;color:var(--quiet);font-size:14px}
footer{font-size:13px;padding-top:28px;padding-bottom:40px}
@media(max-width:520px){main,header,footer{padding-left:14px;padding-right:14px}header{padding-top:22px}h1{font-size:23px}.tiles{grid-template-columns:1fr 1fr}.tiles dd{font-size:22px}svg.chart{font-size:15px}.list svg{display:none}.list th,.list td{padding:4px 5px}figure{padding:12px}}
@media print{body{background:#fff;font-size:11px;print-color-adjust:exact;-webkit-print-color-adjust:exact}main,header,footer{max-width:none;padding:0}h2,.note{break-after:avoid}.grid{grid-template-columns:1fr 1fr}.tiles div,figure,.card{border-color:#ccc}.scroll{overflow:visible}details:not([open]){display:none}}
`;

/** What lets a browser take this style sheet and no other; a test holds the two together. */
export const STYLE_HASH = "sha256-+D3LhHXRUYT7KDDu/tz2CJvXulFyMXAZa6CwYc1Vbt0=";
