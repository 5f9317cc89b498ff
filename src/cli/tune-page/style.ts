/** How the page looks: light or dark as the reader's screen is, one column on a phone, and on paper. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --card: #ffffff; --ink: #1d2429; --soft: #5c6870; --line: #e2dfd8;
  --accent: #0b6e8a; --good: #1c7c4a; --warn: #a85a00; --quiet: #9aa5ab;
  --series-1: #0b6e8a; --series-2: #a85a00; --series-3: #1c7c4a; --series-4: #7a4fa3; --series-5: #c0392b; --series-6: #8a6d0b; --series-7: #d1478c; --series-8: #3a5fcd; --series-9: #5f6f2e; --series-10: #00a3a3; --series-11: #6b4226; --series-12: #e08b2f; --series-13: #9aa5ab;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12181c; --card: #1a2228; --ink: #e7ecef; --soft: #9fadb5; --line: #2d3840;
    --accent: #5cc3e0; --good: #62cf95; --warn: #f0a552; --quiet: #6c7a83;
    --series-1: #5cc3e0; --series-2: #f0a552; --series-3: #62cf95; --series-4: #c39bea; --series-5: #ff8577; --series-6: #d9c25a; --series-7: #ff9ccb; --series-8: #8fa8ff; --series-9: #b5c76b; --series-10: #4fe0d8; --series-11: #c79a78; --series-12: #ffc98a; --series-13: #6c7a83;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
p { margin: .4rem 0; max-width: 46rem; }
.soft { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.2rem; margin-top: 1.1rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin-top: 1.1rem; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .9rem 1.1rem; }
.figure b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figure span { color: var(--soft); font-size: .87rem; }
.good b { color: var(--good); } .warn b { color: var(--warn); }
.wide { overflow-x: auto; margin: .4rem -.3rem 0; padding: 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .38rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: .82rem; vertical-align: bottom; }
th:first-child, td:first-child, .words { text-align: left; padding-left: 0; }
td.words { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
tr.chosen td { color: var(--good); font-weight: 600; }
details { margin-top: .6rem; } summary { cursor: pointer; color: var(--accent); }
pre { background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto; font: .9rem/1.5 ui-monospace, monospace; }
.tag { display: inline-block; min-width: 3.6rem; text-align: center; border-radius: 6px; padding: 0 .45rem; font-size: .8rem; color: var(--card); background: var(--soft); }
.tag.comes { background: var(--warn); } .tag.goes { background: var(--good); } .tag.moves { background: var(--accent); }
.plot { margin-top: .6rem; min-height: 300px; }
.uplot, .u-legend { font-family: inherit; color: var(--ink); }
.u-legend { font-size: .85rem; }
.u-legend th, .u-legend td { border: 0; padding: .1rem .25rem; color: var(--soft); }
.u-title { color: var(--soft); }
footer { color: var(--soft); font-size: .85rem; margin-top: 1.5rem; }
@media (max-width: 40rem) { main { padding: 1rem .7rem 3rem; } section { padding: .9rem .8rem; } h1 { font-size: 1.3rem; } }
@media print { section, .figure { break-inside: avoid; } body { background: none; } }
`
