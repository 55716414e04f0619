// What the codes of the server are called on the page. A code that is not here is shown as it is: rules and cameras have the
// names that the configuration gives them, in every language.

import { t } from "./language.js";

export const ROLES = { viewer: t("viewer"), operator: t("operator"), administrator: t("administrator") };
export const SEVERITIES = { info: t("info"), warning: t("warning"), critical: t("critical") };
export const ALERT_STATES = { raised: t("raised"), amended: t("amended"), ended: t("ended"), acknowledged: t("acknowledged"), retracted: t("retracted") };
// Why an operator corrected something, where the page says it for them. The ledger keeps it in English.
export const REASONS = { "all sightings": t("all sightings"), "another person": t("another person"), checked: t("checked"), "not this person": t("not this person"), "the same person": t("the same person") };
export const CAMERA_CHANGES = { add: t("added"), remove: t("removed") };
export const STAGES = { decode: t("decode"), detect: t("detect"), track: t("track"), pose: t("pose"), embed: t("embed"), match: t("match") };
export const CORRECTIONS = {
  merge: t("merge"), split: t("split"), confirm: t("confirm"), reject: t("not this person"), name: t("naming"), enrol: t("enrol"), unlist: t("take off the watch-list"), erase: t("erase"), undo: t("undo"),
  merged: t("merged"), confirmed: t("confirmed"), named: t("named"), erased: t("erased"), undone: t("undone"),
};
