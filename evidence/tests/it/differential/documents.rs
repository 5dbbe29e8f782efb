//! Mock TCB info and QE identities with something else in them.

use holdfast_evidence::mock::{IsvTcbLevel, Plan};

use super::{plan::date, random::Random};

const PLATFORM: [&str; 7] = [
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
];
const MODULE: [&str; 3] = ["UpToDate", "OutOfDate", "Revoked"];
const QE: [&str; 5] = ["UpToDate", "OutOfDate", "ConfigurationNeeded", "OutOfDateConfigurationNeeded", "Revoked"];
const IDS: [&str; 4] = ["INTEL-SA-00477", "INTEL-SA-00615", "INTEL-SA-00837", "INTEL-SA-01036"];

/// Documents as Intel could write them: any status that a level can have, and a platform on any of the levels.
pub(super) fn statuses(plan: &mut Plan, random: &mut Random) {
    let ids = |random: &mut Random| -> Vec<String> {
        let count = random.below(3);
        (0..count).map(|_| random.pick(&IDS).to_owned()).collect()
    };
    // Not too often revoked, so that other things are seen as well.
    let status = |random: &mut Random, all: &[&str]| {
        let end = if random.one_in(8) { all.len() } else { all.len() - 1 };
        random.pick(&all[..end]).to_owned()
    };
    for level in &mut plan.tcb_info.tcb_levels {
        level.tcb_status = status(random, &PLATFORM);
        level.advisory_ids = ids(random);
    }
    for identity in plan.tcb_info.tdx_module_identities.iter_mut().flatten() {
        for level in &mut identity.tcb_levels {
            level.tcb_status = status(random, &MODULE);
            level.advisory_ids = ids(random);
        }
    }
    for level in &mut plan.qe_identity.tcb_levels {
        level.tcb_status = status(random, &QE);
        level.advisory_ids = ids(random);
    }
    if random.one_in(2) {
        plan.qe_report.isv_svn -= 1;
    }
    if random.one_in(2) {
        plan.td.tee_tcb_svn[0] -= 1;
    }
    if random.one_in(3) {
        plan.td.tee_tcb_svn2[0] -= 1;
    }
    if random.one_in(6) {
        plan.td.tee_tcb_svn[1] = 0;
    }
    if random.one_in(6) {
        plan.td.tee_tcb_svn2[1] = 0;
    }
    if random.one_in(3) {
        plan.certificates.pck.sgx.iter_mut().for_each(|sgx| sgx.pce_svn = Some(10));
    }
}

pub(super) fn tcb_info(plan: &mut Plan, random: &mut Random) {
    let it = &mut plan.tcb_info;
    match random.below(14) {
        0 => it.id = random.pick(&["SGX", "TDX", "QE", ""]).into(),
        1 => it.version = random.near(3),
        2 => it.issue_date = date(random),
        3 => it.next_update = date(random),
        4 => random.change(&mut it.fmspc),
        5 => random.change(&mut it.pce_id),
        6 => it.tcb_type = random.near(0),
        7 => it.tcb_evaluation_data_number = random.near(20),
        8 => it.tdx_module = None,
        9 => {
            if let Some(module) = &mut it.tdx_module {
                let field = random.below(3);
                random.change([&mut module.mrsigner, &mut module.attributes, &mut module.attributes_mask][field]);
            }
        }
        10 => {
            let Some(identities) = &mut it.tdx_module_identities else { return };
            match (random.below(4), identities.first_mut()) {
                (0, Some(first)) => {
                    first.id = random.pick(&["TDX_01", "tdx_01", "TDX_1", "TDX_03", "TDX_", "TDX_001"]).into()
                }
                (1, Some(first)) => levels(&mut first.tcb_levels, &MODULE, random),
                (2, Some(first)) => random.change(&mut first.module.attributes_mask),
                _ => random.reorder(identities),
            }
        }
        11 => random.reorder(&mut it.tcb_levels),
        _ => {
            let Some(level) = it.tcb_levels.first_mut() else { return };
            match random.below(6) {
                0 => level.tcb_status = random.pick(&[&PLATFORM[..], &["TDRelaunchAdvised", ""]].concat()).into(),
                1 => level.tcb.pce_svn = random.near(level.tcb.pce_svn),
                2 => level.tcb_date = date(random),
                3 => level.advisory_ids.push(random.pick(&["INTEL-SA-00001", "intel-sa-00001", "a b", ""]).into()),
                4 => level.tcb.tdx_components = None,
                _ => {
                    let tdx = level.tcb.tdx_components.as_mut().filter(|_| random.one_in(2));
                    let components = tdx.unwrap_or(&mut level.tcb.sgx_components);
                    match random.below(3) {
                        0 => random.reorder(components),
                        _ => {
                            let at = random.below(components.len());
                            components[at].svn = random.near(components[at].svn);
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn qe_identity(plan: &mut Plan, random: &mut Random) {
    let it = &mut plan.qe_identity;
    match random.below(13) {
        0 => it.id = random.pick(&["QE", "TD_QE", "QVE", ""]).into(),
        1 => it.version = random.near(2),
        2 => it.issue_date = date(random),
        3 => it.next_update = date(random),
        4 => it.tcb_evaluation_data_number = random.near(20),
        5 => random.change(&mut it.miscselect),
        6 => random.change(&mut it.miscselect_mask),
        7 => random.change(&mut it.attributes),
        8 => random.change(&mut it.attributes_mask),
        9 => random.change(&mut it.mrsigner),
        10 => it.isvprodid = random.near(it.isvprodid),
        _ => levels(&mut it.tcb_levels, &QE, random),
    }
}

fn levels(levels: &mut Vec<IsvTcbLevel>, statuses: &[&str], random: &mut Random) {
    match (random.below(5), levels.first_mut()) {
        (0, Some(level)) => level.tcb.isv_svn = random.near(level.tcb.isv_svn),
        (1, Some(level)) => level.tcb_status = random.pick(&[statuses, &["SWHardeningNeeded"]].concat()).into(),
        (2, Some(level)) => level.tcb_date = date(random),
        _ => random.reorder(levels),
    }
}
