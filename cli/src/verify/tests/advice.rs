//! What whoever is refused is told, and that the documentation says the same.

use super::*;

#[test]
fn what_is_simulated_beside_what_is_not_is_named() {
    let [_, real, ..] = samples();
    let now = real.now;
    let simulated = |seed: &str| {
        let plan = Plan { seed: seed.into(), ..Plan::new(Kind::TdV4, now) };
        Given { now, ..given(&plan.unsigned().parts()) }
    };
    let (one, other) = (simulated("one"), simulated("other"));
    let with = |quote: &Given, collateral: &Given, root: &Given| {
        text(&Given {
            quote: quote.quote.clone(),
            collateral: collateral.collateral.clone(),
            root: root.root.clone(),
            ..given_like(&real)
        })
    };
    for (page, says) in [
        (with(&one, &one, &real), "\nQuote and collateral are SIMULATED, and the root is Intel's."),
        (with(&one, &real, &real), "\nThe quote is SIMULATED, and root and collateral are Intel's"),
        (with(&real, &one, &real), "\nThe collateral is SIMULATED, and the quote is not"),
        (with(&real, &real, &one), "\nThe root is SIMULATED, and quote and collateral are not"),
        (with(&real, &one, &one), "\nRoot and collateral are SIMULATED, and the quote is not"),
        (with(&one, &real, &one), "\nRoot and quote are SIMULATED, and the collateral is not"),
        (with(&one, &other, &other), "\nRoot, collateral and quote have to be made with the same --seed.\n"),
        (with(&one, &other, &one), "\nRoot, collateral and quote have to be made with the same --seed.\n"),
        (with(&one, &one, &other), "\nRoot, collateral and quote have to be made with the same --seed.\n"),
    ] {
        assert!(page.starts_with("REFUSED: q\n") && page.contains(says), "{says}: {page}");
    }
}

#[test]
fn whoever_is_refused_is_told_what_to_do_and_where_it_stands() {
    let [sgx, tdx, outdated, _] = samples();
    let with = |given: &Given, change: &dyn Fn(&mut Given)| {
        let mut changed = given_like(given);
        change(&mut changed);
        text(&changed)
    };
    let denied = |it: &mut Given| {
        let id = holdfast_evidence::Advisory::new("INTEL-SA-00615").expect("an id");
        it.policy.denied_advisories = vec![id].try_into().expect("one");
    };
    let chain = |it: &mut Given| it.collateral.pck_crl_issuer_chain = it.collateral.tcb_info_issuer_chain.clone();
    let tdx_only = |it: &mut Given| it.policy.measurements = Some(Measurements::Tdx(TdxMeasurements::default()));
    for (page, says) in [
        (with(&tdx, &|it| it.now += 90 * DAY), "\nFetch the collateral anew. To judge by the time at which"),
        (with(&tdx, &|it| it.now -= 90 * DAY), "or what --at says. It stands under `pck_crl` in the collateral.\n"),
        (with(&sgx, &|it| it.policy = Policy::strict()), "say so with `statuses` in a policy.\n"),
        (with(&tdx, &|it| it.collateral = sgx.collateral.clone()), "\nThe collateral is of other platforms, or of the"),
        (with(&tdx, &|it| it.collateral.tcb_info.push(' ')), "changed the bytes that Intel signed"),
        (with(&tdx, &|it| it.policy.min_evaluation_data_number = 99), "update=early"),
        (with(&tdx, &chain), "under another's key. It stands under `pck_crl_issuer_chain` in the collateral.\n"),
        (with(&tdx, &|it| it.collateral.pck_crl = it.collateral.root_ca_crl.clone()), "It stands under `pck_crl` in"),
        (with(&tdx, &|it| it.quote.truncate(900)), "\nIt is no quote, or was cut or changed on its way"),
        (with(&outdated, &|_| ()), "older than all that Intel's TCB info knows, and no policy accepts that"),
        (with(&sgx, &denied), "take it out of `denied_advisories`"),
        (with(&sgx, &tdx_only), "it has [tdx] where this needs [sgx]"),
        (with(&tdx, &|it| it.policy.td.xfam = 3), "add their bits to `xfam` under [td]"),
    ] {
        assert!(page.starts_with("REFUSED: q\n") && page.contains(says), "{says}: {page}");
    }
}

#[test]
fn the_documentation_has_every_error_its_steps_and_what_to_do() {
    const DOCS: &str = include_str!("../../../../docs/cli.md");
    const ERRORS: &str = include_str!("../../../../evidence/src/error.rs");
    let (_, table) = DOCS.split_once("\n| error | steps | what to do |\n|---|---|---|\n").expect("the table");
    let table: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let row = |it: &remedies::Remedy| format!("| `{}` | {} | {} |", it.error, it.steps, it.advice);
    assert_eq!(table, remedies::TABLE.iter().map(row).collect::<Vec<_>>());
    assert!(remedies::TABLE.is_sorted_by_key(|remedy| remedy.error));
    for remedy in remedies::TABLE {
        for step in remedy.steps.split(", ") {
            assert!(steps::NAMES.contains(&step), "{step}");
        }
    }

    // Those that only whoever keeps steps, or judges OP-TEE, can see.
    const OTHERS: [&str; 9] = [
        "AttestationKey",
        "AttestationKeyTee",
        "AttestationKeyPck",
        "DeviceNotEnrolled",
        "DeviceKeyEncoding",
        "DeviceKeyLength",
        "Keys",
        "MeasurementSignature",
        "VerdictExpired",
    ];
    let (_, body) = ERRORS.split_once("pub enum Error {\n").expect("the enum");
    let (body, _) = body.split_once("\n}\n").expect("its end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    let names = names.map(|line| line.split([' ', ',', '(']).next().unwrap_or_default());
    let mut names: Vec<&str> = names.filter(|name| !OTHERS.contains(name)).collect();
    names.sort_unstable();
    assert_eq!(remedies::TABLE.iter().map(|remedy| remedy.error).collect::<Vec<_>>(), names);
}

#[test]
fn the_steps_have_the_same_names_where_the_checks_are_told() {
    const DOCS: &str = include_str!("../../../../docs/evidence.md");
    for name in steps::NAMES {
        assert!(DOCS.contains(&format!("*{name}*")), "{name}");
    }
}
