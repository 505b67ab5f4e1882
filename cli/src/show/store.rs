//! What `kith store check` prints: what was read, what is wrong with it, and what to do.

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::quantity;
use kith_busd::store::{Checked, Quarantine, Report};
use serde_json::json;

/// For a person.
pub(crate) fn sentences(checked: &Checked, paint: Paint) -> String {
    let Checked { report, unreadable } = checked;
    let Report { path, records, bytes, head, faults, repaired, .. } = report;
    let path = path.display().to_string();
    let (records, bytes) = (quantity::counted(*records, "record"), quantity::bytes(*bytes));
    let head = head.map(|head| format!(", {}", quantity::counted(head, "commit")));
    let mut text = format!("{}: {records}, {bytes}{}\n", harmless(&path), head.unwrap_or_default());
    for fault in faults {
        text.push_str(&paint.paint(Style::Loss, &format!("  {}", harmless(fault))));
        text.push('\n');
    }
    match (faults.is_empty(), repaired) {
        (true, _) if *unreadable == 0 => text.push_str("all is well\n"),
        (true, _) => {}
        (false, None) => text.push_str("save what can be read: kith store check --repair\n"),
        (false, Some(quarantine)) => text.push_str(&rescue(quarantine)),
    }
    if *unreadable > 0 {
        let count = quantity::counted(*unreadable, "record");
        let line = format!("{count} mean nothing to this version, and a daemon leaves them out");
        text.push_str(&paint.paint(Style::Loss, &line));
        text.push('\n');
    }
    text
}

fn rescue(quarantine: &Quarantine) -> String {
    let Quarantine { path, saved, lost, next, .. } = quarantine;
    let path = path.display().to_string();
    let saved = quantity::counted(*saved, "record");
    format!(
        "{saved} saved; lost: {}\nwhat was damaged is in {}\nnext: {}\n",
        harmless(lost),
        harmless(&path),
        harmless(next)
    )
}

/// For a program: one object.
pub(crate) fn as_json(checked: &Checked) -> String {
    let Report { path, records, bytes, head, damaged, faults, repaired } = &checked.report;
    let repaired = repaired.as_ref().map(|Quarantine { path, reason, saved, lost, next }| {
        json!({ "path": path, "reason": reason, "saved": saved, "lost": lost, "next": next })
    });
    let object = json!({
        "path": path, "records": records, "bytes": bytes, "commits": head, "damaged": damaged,
        "faults": faults, "unreadable": checked.unreadable, "repaired": repaired,
        "well": checked.is_well(),
    });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    fn checked(faults: &[&str], repaired: bool) -> Checked {
        let quarantine = Quarantine {
            path: "/s/store/sqlite.damaged-1".into(),
            reason: "torn".to_owned(),
            saved: 1,
            lost: "2 records".to_owned(),
            next: "look at the disk".to_owned(),
        };
        let report = Report {
            path: "/s/store/sqlite".into(),
            records: 1200,
            bytes: 2048,
            head: Some(7),
            damaged: 0,
            faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
            repaired: repaired.then_some(quarantine),
        };
        Checked { report, unreadable: 0 }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        let head = "/s/store/sqlite: 1,200 records, 2 KiB, 7 commits\n";
        let said = |checked: &Checked| sentences(checked, Paint::plain());
        assert_eq!(said(&checked(&[], false)), format!("{head}all is well\n"));
        let text = said(&checked(&["record m\u{1b}: its checksum is wrong"], false));
        text.lines().for_each(assert_harmless);
        let fault = "  record m\\u001b: its checksum is wrong\n";
        let next = "save what can be read: kith store check --repair\n";
        assert_eq!(text, format!("{head}{fault}{next}"));
        let text = said(&checked(&["torn"], true));
        let rest = "1 record saved; lost: 2 records\nwhat was damaged is in \
                    /s/store/sqlite.damaged-1\nnext: look at the disk\n";
        assert_eq!(text, format!("{head}  torn\n{rest}"));
        let odd = Checked { unreadable: 2, ..checked(&[], false) };
        let rest = "2 records mean nothing to this version, and a daemon leaves them out\n";
        assert_eq!(said(&odd), format!("{head}{rest}"));
    }

    #[test]
    fn a_program_gets_one_object() {
        let line = as_json(&checked(&["torn"], true));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&object["records"], &object["well"]), (&json!(1200), &json!(true)));
        assert_eq!(object["repaired"]["saved"], 1);
    }
}
