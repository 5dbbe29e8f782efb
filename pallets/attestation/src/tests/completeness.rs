use super::*;

const ERRORS: &str = include_str!("../errors.rs");
const EVIDENCE: &str = include_str!("../../../../evidence/src/error.rs");

/// The variants of an enum whose body begins after `head`, each with what stands before it.
fn variants(text: &'static str, head: &str, indent: &str) -> Vec<(&'static str, Vec<&'static str>)> {
    let (_, body) = text.split_once(head).expect("the enum");
    let (mut found, mut before) = (Vec::new(), Vec::new());
    for line in body.lines() {
        let Some(line) = line.strip_prefix(indent) else {
            if line.trim() == "}" {
                break;
            }
            continue;
        };
        if line.starts_with(|first: char| first.is_ascii_uppercase()) {
            let name = line.split([' ', ',', '(']).next().unwrap_or_default();
            found.push((name, std::mem::take(&mut before)));
        } else {
            before.push(line);
        }
    }
    found
}

#[test]
fn each_error_of_evidence_has_one_of_the_same_name_here() {
    let ours = variants(ERRORS, "pub enum Error<T> {\n", "        ");
    let theirs = variants(EVIDENCE, "pub enum Error {\n", "    ");
    assert!(theirs.len() > 80, "{}", theirs.len());
    for (name, _) in theirs {
        assert!(ours.iter().any(|(ours, _)| *ours == name), "{name}");
        assert!(ERRORS.contains(&format!("Evidence::{name} {{ .. }} => Error::{name},")), "{name}");
    }
}

#[test]
fn each_error_says_what_to_do() {
    for (name, before) in variants(ERRORS, "pub enum Error<T> {\n", "        ") {
        let documented = before.iter().filter(|line| line.starts_with("/// ")).count();
        assert!(documented > 0, "{name}");
    }
}

#[test]
fn an_error_is_told_by_its_name() {
    chain().execute_with(|| {
        let refused = crate::Pallet::<Test>::dry_run(&[], &policy()).expect_err("no quote");
        assert_eq!(refused.name, "Truncated");
        let quote = plan().unsigned().sign().quote;
        let refused = crate::Pallet::<Test>::dry_run(&quote, &policy()).expect_err("no collateral");
        assert_eq!(refused.name, "NoPckCrl");
        submit(&plan().unsigned().sign(), &plan());
        let verified = crate::Pallet::<Test>::dry_run(&quote, &policy()).expect("good");
        assert_eq!((verified.path, verified.verdict.status), (Path::NewPlatform, TcbStatus::UpToDate));
        assert_eq!(Platforms::<Test>::count(), 0, "a dry run keeps nothing");
    });
}

#[test]
fn what_is_stored_of_collateral_is_told() {
    let (mut chain, _) = ready();
    chain.execute_with(|| {
        let stored = crate::Pallet::<Test>::freshness();
        assert_eq!(stored.len(), 4);
        assert!(stored.iter().all(|it| (it.issued, it.next_update) == (NOW - DAY, NOW + 29 * DAY)));
    });
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        for operator in 1..=10 {
            assert_ok!(attest(operator, workload));
        }
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = crate::Pallet::<Test>::members(workload, after.clone(), 3);
            assert!(page.len() <= 3);
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            all.extend(page.into_iter().map(|(subject, _)| subject.operator));
        }
        all.sort_unstable();
        assert_eq!(all, (1..=10).collect::<Vec<_>>());
        assert_eq!(crate::Pallet::<Test>::members(workload + 1, None, 9), []);
    });
}
