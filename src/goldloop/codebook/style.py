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

.gl-answer { margin: 6px 0 12px; padding: 12px 16px 14px; border: 1px solid var(--gl-mark); border-left-width: 5px;
  border-radius: 8px; background: var(--gl-tint); }
.gl-answer h4 { font-size: 13px; line-height: 20px; color: var(--gl-soft) !important; margin-bottom: 2px !important; }
.gl-answer .lsf-richtext__line { font-size: 16px; line-height: 1.55; }

.gl-evidence .ant-collapse, .gl-evidence .ant-collapse-content { background: none; border-color: var(--gl-line); }
.gl-evidence .ant-collapse-item { border-color: var(--gl-line) !important; }
.gl-evidence .ant-collapse-header { padding: 8px 0 !important; font-weight: 600; color: var(--gl-text) !important; }
.gl-evidence .ant-collapse-content-box { padding: 2px 0 10px !important; }
.gl-evidence .lsf-paragraphs [class*="phrase--"] { max-height: 18em; box-shadow: inset 2px 0 0 var(--gl-line); }
.gl-evidence [class*="dialoguetext"] { font-size: 14px !important; }
.gl-evidence [class*="dialoguename"] { color: var(--gl-text) !important; text-transform: none; }
.gl-steps [class*="dialoguetext"] { font: 12.5px/1.5 ui-monospace, Menlo, Consolas, monospace !important; }
.gl-evidence .ant-table, .gl-evidence td { background: none !important; border-color: var(--gl-line) !important; }
.gl-evidence td { padding: 3px 8px !important; font-size: 13px; }

.gl-machine { border: 1px dashed var(--color-neutral-border-bolder, gray); border-radius: 8px; padding: 8px 12px 10px;
  margin-bottom: 16px; }
.gl-machine * { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.gl-machine h4 { font-size: 13px; line-height: 20px; color: var(--gl-soft) !important; margin-bottom: 2px !important; }
.gl-machine .lsf-richtext__line { font-size: 13px; line-height: 1.45; color: var(--gl-soft); }
.gl-machine .lsf-richtext__line:first-of-type { font-size: 14px; font-weight: 600; color: var(--gl-text); }

.gl-part { margin-bottom: 14px; }
.gl-part .lsf-choices { display: flex; flex-wrap: wrap; gap: 8px; margin: 0; }
.gl-part .lsf-choices_hidden { display: none; }
.gl-part .lsf-choice { display: block !important; line-height: 20px !important; }
.gl-part .lsf-choice__checkbox { padding: 5px 10px 5px 8px !important; margin: 0 !important; border-radius: 6px;
  border: 1px solid var(--gl-line); cursor: pointer; }
.gl-part .lsf-choice__checkbox:hover { border-color: var(--gl-mark); }
.gl-part .ant-checkbox-wrapper-checked, .gl-part .ant-radio-wrapper-checked { border-color: var(--gl-mark);
  background: var(--gl-tint); }
.gl-binary .lsf-choice { flex: 1; }
.gl-binary .lsf-choice__checkbox { padding: 12px 14px !important; font-size: 16px; font-weight: 600; width: 100%; }
.gl-part .lsf-hint { top: 0; margin-left: 6px; font-size: 11px; font-weight: 400; opacity: .65;
  vertical-align: baseline; }
.gl-part textarea { font-size: 14px; line-height: 1.5; }
.gl-multi-choice .lsf-choices { gap: 6px; }
.gl-multi-choice .lsf-choice__checkbox { font-size: 13px; }
.gl-part .lsf-text-area, .gl-part .ant-form-item-control-input-content { margin: 0 !important; padding: 0 !important; }
.gl [data-testid="textarea-submit-section"] { display: none; }
.gl-keys h4 { font-size: 12px; font-weight: 400; color: var(--gl-soft) !important; }

.lsf-sidepanels:has(.gl):has(.lsf-sidepanels__wrapper) { padding-right: 0 !important; padding-left: 0 !important; }
.lsf-sidepanels:has(.gl) .lsf-sidepanels__wrapper { display: none; }
"""
