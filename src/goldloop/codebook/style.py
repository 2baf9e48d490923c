"""The look of the review screen: one style sheet for every codebook, put into its label config.

It takes Label Studio's own colours, so it follows the light and the dark theme. It leans on class names that Label
Studio keeps (`lsf-`, `ant-`), on its test ids, and on the readable half of its hashed class names. Where one of them
changes, the screen gets noisier and loses nothing: no rule here is needed to read a trace or to judge it, but for
the line breaks, and those hang on a class of our own.
"""

STYLE = """
.gl { container-type: inline-size; --gl-line: var(--color-neutral-border, rgba(128, 128, 128, .35));
  --gl-soft: var(--color-neutral-content-subtler, inherit); --gl-mark: var(--color-primary-border, #617ada);
  --gl-tint: rgba(97, 122, 218, .1); --gl-text: var(--color-neutral-content, inherit);
  --gl-link: var(--color-primary-content, #4b64c4);
  padding: 4px 12px 12px; color: var(--gl-text); font-size: 15px; line-height: 1.5; }
.gl-columns { display: flex; flex-direction: column; gap: 8px 32px; }
.gl h3, .gl h4 { margin: 0 0 6px !important; overflow-wrap: anywhere; }
.gl h3 { font-size: 13px; font-weight: 600; line-height: 20px; color: var(--gl-soft) !important; }
.gl h4 { font-size: 15px; font-weight: 600; line-height: 22px; }
.gl-read * { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.gl [class*="dialoguetext"], .gl .lsf-richtext__line { unicode-bidi: plaintext; text-align: start; }
@container (min-width: 760px) {
  .gl-columns { display: grid;
    grid-template: "talk judge" auto "evidence judge" 1fr / minmax(0, 1fr) minmax(320px, 34%); }
  .gl-talk { grid-area: talk; }
  .gl-evidence { grid-area: evidence; }
  .gl-judge { grid-area: judge; position: sticky; top: 12px; align-self: start; box-sizing: border-box;
    max-height: calc(100vh - 124px); overflow-y: auto; }
}
@container (min-width: 1400px) {
  .gl-columns { grid-template: "talk evidence judge" auto / minmax(0, 5fr) minmax(0, 5fr) minmax(360px, 4fr); }
  .gl-evidence { margin-top: -8px; }
  .gl-pair .gl-columns { grid-template-columns: minmax(0, 8fr) minmax(0, 4fr) minmax(340px, 4fr); }
}

.gl [class*="wrapper_header"], .gl [class*="selectAllBtnWrapper"], .gl [class*="readingLine"],
.gl [class*="time--"], .gl .ant-table-thead { display: none !important; }
.gl .lsf-paragraphs [class*="phrase--"] { width: 100%; box-sizing: border-box; margin: 0 0 10px; border: 0 !important;
  padding: 0 0 0 12px !important; background: none !important;
  border-radius: 0 !important;
  box-shadow: inset 3px 0 0 rgb(from var(--highlight-color, gray) r g b / .8); max-height: 60vh; overflow-y: auto; }
.gl [class*="dialoguename"] { color: var(--gl-soft) !important; font-size: 13px !important;
  line-height: 20px !important; text-transform: capitalize; margin: 0; }
.gl [class*="dialoguetext"] { display: block; font-size: 15px !important; line-height: 1.5 !important;
  letter-spacing: 0 !important; margin: 0 !important; }
.gl .lsf-richtext, .gl .lsf-richtext * { padding: 0 !important; margin: 0 !important; border: 0; }
.gl [class*="container--"] { padding: 0 !important; margin: 0 !important; }
.gl-talk .lsf-paragraphs:has([class*="dialoguetext"]:empty),
.gl-evidence .ant-collapse-item:has([class*="dialoguetext"]:empty),
.gl-evidence .ant-collapse-item:has(.ant-table-empty) { display: none; }

.gl-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 16px; }
.gl-head a, .gl-head a:hover { font-size: 13px; color: var(--gl-link); text-decoration: underline; }
.gl-form { display: none; }
.gl-talk:has(.gl-form .lsf-richtext__line:not(:empty)) .gl-answer .lsf-richtext__line {
  font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace !important; tab-size: 4; }
.gl-answers { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 14px; }
.gl-answers .gl-answer h4 { font-size: 16px; color: var(--gl-text) !important; }
.gl-answer { margin: 6px 0 12px; padding: 12px 16px 14px; border: 1px solid var(--gl-mark); border-left-width: 5px;
  border-radius: 8px; background: var(--gl-tint); }
.gl-answer h4 { font-size: 13px; line-height: 20px; color: var(--gl-soft) !important; margin-bottom: 2px !important; }
.gl-answer .lsf-richtext__line { font-size: 16px; line-height: 1.55; }

.gl .ant-collapse, .gl .ant-collapse-content { background: none; border-color: var(--gl-line); }
.gl .ant-collapse-item { border-color: var(--gl-line) !important; }
.gl .ant-collapse-header { padding: 8px 0 !important; font-weight: 600; color: var(--gl-text) !important; }
.gl .ant-collapse-header:focus-visible { outline: 2px solid var(--gl-mark); outline-offset: -2px; }
.gl .ant-collapse-item:has(:focus-visible) .ant-collapse-content { display: block !important; height: auto !important;
  opacity: 1 !important; }
.gl .ant-collapse-content-box { padding: 2px 0 10px !important; }
.gl-evidence .lsf-paragraphs [class*="phrase--"] { max-height: 18em; box-shadow: inset 2px 0 0 var(--gl-line); }
.gl-evidence [class*="dialoguetext"] { font-size: 14px !important; }
.gl-evidence [class*="dialoguename"] { color: var(--gl-text) !important; text-transform: none; }
.gl-steps [class*="dialoguetext"] { font: 12.5px/1.5 ui-monospace, Menlo, Consolas, monospace !important; }
.gl-evidence .ant-table, .gl-evidence td { background: none !important; border-color: var(--gl-line) !important; }
.gl-evidence td { padding: 3px 8px !important; font-size: 13px; }

.gl-machine:has(.lsf-richtext__line:only-child:empty) { display: none; }
.gl-machine { border: 1px dashed var(--color-neutral-border-bolder, gray); border-radius: 8px; padding: 8px 12px 10px;
  margin-bottom: 16px; }
.gl-machine * { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.gl-machine h4 { font-size: 13px; line-height: 20px; color: var(--gl-soft) !important; margin-bottom: 2px !important; }
.gl-machine .lsf-richtext__line { font-size: 13px; line-height: 1.45; color: var(--gl-soft); }
.gl-machine .lsf-richtext__line:first-of-type { font-size: 14px; font-weight: 600; color: var(--gl-text); }

.gl-judge { display: flex; flex-direction: column; }
.gl-judge .gl-meaning { order: 1; }
.gl-part { margin-bottom: 14px; }
.gl-judge .lsf-choices { display: flex; flex-wrap: wrap; gap: 8px; margin: 0; }
.gl-judge .lsf-choices_hidden { display: none; }
.gl-judge .lsf-choice { display: block !important; line-height: 20px !important; }
.gl-judge .lsf-choice__checkbox { padding: 5px 10px 5px 8px !important; margin: 0 !important; border-radius: 6px;
  border: 1px solid var(--gl-line); cursor: pointer; overflow-wrap: anywhere; }
.gl-judge .lsf-choice__checkbox:hover { border-color: var(--gl-mark); }
.gl-judge .lsf-choice__checkbox:has(:focus-visible) { outline: 2px solid var(--gl-mark); }
.gl-judge .ant-checkbox-wrapper-checked, .gl-judge .ant-radio-wrapper-checked { border-color: var(--gl-mark);
  background: var(--gl-tint); }
.gl-judge .lsf-hint { top: 0; margin-left: 6px; font-size: 11px; font-weight: 400; opacity: .65;
  vertical-align: baseline; }
.gl-binary .lsf-choice { flex: 1; }
.gl-pairwise .lsf-choices { display: grid; grid-template-columns: 1fr 1fr; }
.gl-pairwise .lsf-choice:nth-child(3) { grid-column: 1 / -1; }
.gl-binary .lsf-choice__checkbox, .gl-pairwise .lsf-choice__checkbox { padding: 12px 14px !important; font-size: 16px;
  font-weight: 600; width: 100%; }
.gl-pairwise .lsf-choice:nth-child(3) .lsf-choice__checkbox { padding: 6px 14px !important; }
.gl-rating .lsf-choices { gap: 8px 0; padding-left: 1px; }
.gl-rating .lsf-choices:not(:has(.lsf-choice:nth-child(7))) { flex-wrap: nowrap; }
.gl-rating .lsf-choice { flex: 1 1 auto; min-width: 0; margin-left: -1px; }
.gl-rating .lsf-choice__item, .gl-rating .lsf-choice__checkbox { height: 100%; }
.gl-rating .lsf-choice__checkbox { display: flex; flex-direction: column; align-items: center; gap: 4px; width: 100%;
  padding: 8px 3px 5px !important; border-radius: 0; font-size: 12.5px; line-height: 16px; text-align: center; }
.gl-rating .lsf-choice__checkbox span { padding: 0; }
.gl-rating .lsf-choice__checkbox::after { display: none; }
.gl-rating .lsf-hint { display: block; position: static; margin: 0; line-height: 16px; }
.gl-multi-choice .lsf-choices { gap: 6px; }
.gl-multi-choice .lsf-choice__checkbox, .gl-choice .lsf-choice__checkbox { font-size: 13px; }
.gl-number input { width: 9em; padding: 5px 8px; font-size: 15px; color: inherit; background: none;
  border: 1px solid var(--gl-line); border-radius: 6px; }
.gl-part textarea { font-size: 14px; line-height: 1.5; }
.gl-part .lsf-text-area, .gl-part .ant-form-item-control-input-content { margin: 0 !important; padding: 0 !important; }
.gl [data-testid="textarea-submit-section"] { display: none; }
.gl-keys h4, .gl-skip h4 { font-size: 12px; line-height: 18px; font-weight: 400; color: var(--gl-soft) !important; }
.gl-skip .lsf-choices { gap: 4px; margin-bottom: 6px; }
.gl-skip .lsf-choice__checkbox { padding: 1px 7px 1px 2px !important; font-size: 12px; color: var(--gl-soft); }
.gl-skip .ant-checkbox { width: 1px; opacity: 0; }
.gl-meaning { position: sticky; bottom: 0; z-index: 1; background: var(--color-neutral-background, Canvas); }
.gl-meaning .ant-collapse-item { max-height: 50vh; overflow-y: auto; }
.gl-meaning .ant-collapse-header { position: sticky; top: 0; background: inherit; }
.gl-meaning .ant-collapse, .gl-meaning .ant-collapse-item { background: inherit; }
.gl-meaning h4 { font-size: 13px; line-height: 1.45; font-weight: 400; margin: 0 0 3px !important; }
.gl-asked h4, .gl-name h4 { font-weight: 600; }
.gl-asked h4 { margin-top: 8px !important; color: var(--gl-soft) !important; }
.gl-label { margin: 0 0 10px; padding-left: 10px; border-left: 2px solid var(--gl-line); }

.lsf-sidepanels:has(.gl):has(.lsf-sidepanels__wrapper) { padding-right: 0 !important; padding-left: 0 !important; }
.lsf-sidepanels:has(.gl) .lsf-sidepanels__wrapper { display: none; }
"""
