//! Mock evidence with something else in it: every signature is made afterwards, and is valid where its key is the right
//! one.

use der::asn1::ObjectIdentifier;
use holdfast_evidence::mock::{
    BasicConstraints, BodyKind, Certificate, CertificateName, Configuration, Extension, Key, KeyIdentifier, Kind, Plan,
    Revoked,
};

use super::{
    documents::{qe_identity, statuses, tcb_info},
    random::Random,
    DAY, NOW,
};

type Change = fn(&mut Plan, &mut Random);

/// Weighed by how often they are there.
const CHANGES: [(&str, Change); 18] = [
    ("statuses", statuses),
    ("statuses", statuses),
    ("statuses", statuses),
    ("TCB info", tcb_info),
    ("TCB info", tcb_info),
    ("QE identity", qe_identity),
    ("certificate", certificate),
    ("certificate", certificate),
    ("extension", extension),
    ("platform", platform),
    ("list", list),
    ("list", list),
    ("chains", chains),
    ("second CA", second_ca),
    ("quote", quote),
    ("quote", quote),
    ("QE", qe),
    ("framing", framing),
];

/// What was changed, beside the change.
pub(super) fn change(plan: &mut Plan, random: &mut Random) -> &'static str {
    let (name, change) = random.pick(&CHANGES);
    change(plan, random);
    name
}

/// Around those at which mock evidence begins and ends.
pub(super) fn date(random: &mut Random) -> u64 {
    let edge = random.pick(&[NOW, NOW, NOW - DAY, NOW + 29 * DAY, 1_526_899_510, 2_524_607_999, 2_524_608_000]);
    edge + random.pick(&[0, 1, 2]) - 1
}

fn oid(random: &mut Random) -> ObjectIdentifier {
    let oids = [
        "2.5.29.14",
        "2.5.29.15",
        "2.5.29.17",
        "2.5.29.18",
        "2.5.29.19",
        "2.5.29.20",
        "2.5.29.21",
        "2.5.29.24",
        "2.5.29.27",
        "2.5.29.28",
        "2.5.29.29",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.35",
        "2.5.29.36",
        "2.5.29.37",
        "2.5.29.46",
        "2.5.29.54",
        "1.2.840.113741.1.13.1",
        "1.2.3.4",
    ];
    ObjectIdentifier::new_unwrap(random.pick(&oids))
}

fn any_extension(random: &mut Random) -> Extension {
    let values: [&[u8]; 12] = [
        &[],
        &[5, 0],
        &[0x30, 0],
        &[2, 1, 1],
        &[2, 1, 0xFF],
        &[10, 1, 1],
        &[10, 1, 7],
        &[4, 1, 0],
        // Server authentication, and any.
        &[0x30, 10, 6, 8, 0x2B, 6, 1, 5, 5, 7, 3, 1],
        &[0x30, 6, 6, 4, 0x55, 0x1D, 0x25, 0],
        // Names below example.org are permitted.
        &[0x30, 17, 0xA0, 15, 0x30, 13, 0x82, 11, b'e', b'x', b'a', b'm', b'p', b'l', b'e', b'.', b'o', b'r', b'g'],
        b"\x18\x0f20260921141320Z",
    ];
    Extension { oid: oid(random), critical: random.one_in(4), value: random.pick(&values).to_vec() }
}

fn any_certificate<'a>(plan: &'a mut Plan, random: &mut Random) -> &'a mut Certificate {
    use CertificateName::{Pck, Root, TcbSigner};
    let ca = plan.chains.pck_crl_issuer.first().copied().unwrap_or(Root);
    let name = random.pick(&[Root, ca, ca, Pck, Pck, TcbSigner]);
    &mut plan.certificates[name]
}

fn certificate(plan: &mut Plan, random: &mut Random) {
    let it = any_certificate(plan, random);
    match random.below(17) {
        0 => it.not_before = date(random),
        1 => it.not_after = date(random),
        2 => {
            let length = random.pick(&[0, 1, 8, 19, 20, 21]);
            it.serial = random.bytes(length);
        }
        3 => it.version = random.pick(&[None, Some(0), Some(1), Some(3)]),
        4 => it.subject.common_name = name(random),
        5 => it.issuer.common_name = name(random),
        6 => it.subject.organization = random.pick(&["Intel Corporation", "holdfast mock", ""]).into(),
        7 => it.issuer.state = random.pick(&["CA ", "ca", ""]).into(),
        8 => it.key = key(random),
        9 => it.signed_by = key(random),
        10 => it.algorithm = ObjectIdentifier::new_unwrap(random.pick(&["1.2.840.10045.4.3.3", "1.2.840.10045.4.1"])),
        11 => it.authority_key_identifier = random.pick(&[None, Some(KeyIdentifier::Bytes(vec![1; 20]))]),
        12 => it.subject_key_identifier = random.pick(&[None, Some(KeyIdentifier::Bytes(vec![]))]),
        13 => it.crl_distribution_point = random.pick(&[None, Some(String::new()), Some("https://example.org".into())]),
        14 => {
            it.key_usage = random.pick(&[None, Some(0), Some(1), Some(1 << 5), Some(1 << 6), Some(0x1FF), Some(0x60)])
        }
        15 => it.key_usage = Some(random.number() as u16),
        _ => {
            let (ca, path_length) = (random.one_in(2), random.pick(&[None, Some(0), Some(1), Some(200)]));
            it.basic_constraints = random.pick(&[None, Some(BasicConstraints { ca, path_length })]);
        }
    }
}

fn extension(plan: &mut Plan, random: &mut Random) {
    let extension = any_extension(random);
    any_certificate(plan, random).extra.push(extension);
}

fn name(random: &mut Random) -> String {
    random
        .pick(&[
            "Intel SGX Root CA",
            "Intel SGX PCK Platform CA",
            "Intel SGX PCK Processor CA",
            "Intel SGX PCK Certificate",
            "Intel SGX TCB Signing",
            "intel sgx root ca",
            "Intel SGX Root CA ",
            "",
        ])
        .into()
}

fn key(random: &mut Random) -> Key {
    use Key::{Attestation, Other, Pck, PlatformCa, ProcessorCa, Root, TcbSigner};
    random.pick(&[Root, PlatformCa, ProcessorCa, Pck, TcbSigner, Attestation, Other("stranger")])
}

/// What the PCK certificate says of the platform.
fn platform(plan: &mut Plan, random: &mut Random) {
    let Some(sgx) = &mut plan.certificates.pck.sgx else { return };
    let some = |length| Some(vec![7; length]);
    match random.below(13) {
        0 => sgx.ppid = random.pick(&[None, some(15), some(16), some(17)]),
        1 => {
            let (at, near) = (random.below(16), random.near(4) as u16);
            sgx.components[at] = near;
        }
        2 => random.reorder(&mut sgx.components),
        3 => {
            sgx.pce_svn =
                random.pick(&[None, Some(0), Some(5), Some(10), Some(12), Some(255), Some(0x7FFF), Some(0x8000)])
        }
        4 => {
            let (at, near) = (random.below(16), random.near(4) as u8);
            sgx.cpu_svn.iter_mut().for_each(|svn| svn[at] = near);
        }
        // Both ways to say it say the same.
        5 | 6 => {
            let (at, near) = (random.below(16), random.near(4) as u8);
            sgx.components[at] = near.into();
            sgx.cpu_svn.iter_mut().for_each(|svn| svn[at] = near);
        }
        7 => sgx.pce_id = random.pick(&[None, some(1), some(2), some(3)]),
        8 => sgx.fmspc = random.pick(&[None, some(5), some(6), some(7)]),
        9 => sgx.sgx_type = random.pick(&[None, Some(0), Some(1), Some(2), Some(3), Some(0x80), Some(0xFF)]),
        10 => sgx.platform_instance_id = random.pick(&[None, some(15), some(16)]),
        11 => {
            let mut flag = || random.pick(&[None, Some(false), Some(true)]);
            let flags = Configuration { dynamic_platform: flag(), cached_keys: flag(), smt_enabled: flag() };
            sgx.configuration = random.pick(&[None, Some(flags)]);
        }
        _ => {
            sgx.extra = vec![random.pick(&[
                // A number that Intel has not given, the PPID again, and something else.
                vec![0x30, 15, 6, 10, 0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 13, 1, 8, 2, 1, 0],
                vec![0x30, 15, 6, 10, 0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 13, 1, 1, 2, 1, 0],
                vec![5, 0],
            ])]
        }
    }
}

fn list(plan: &mut Plan, random: &mut Random) {
    let of_root = random.one_in(2);
    let certificates = &plan.certificates;
    let issued = [&certificates.root, &certificates.platform_ca, &certificates.processor_ca, &certificates.tcb_signer];
    let serial = match random.below(5) {
        0 if of_root => random.pick(&issued).serial.clone(),
        0 => certificates.pck.serial.clone(),
        1 => vec![],
        _ => random.bytes(20),
    };
    let it = if of_root { &mut plan.crls.root } else { &mut plan.crls.pck };
    match random.below(12) {
        0 => it.version = random.pick(&[None, Some(0), Some(2)]),
        1 => it.algorithm = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
        2 => it.issuer.common_name = name(random),
        3 => it.this_update = date(random),
        4 => it.next_update = (!random.one_in(3)).then(|| date(random)),
        5 => it.number = random.pick(&[None, Some(vec![]), Some(vec![1; 20]), Some(vec![0x80; 20]), Some(vec![1; 21])]),
        6 => it.authority_key_identifier = random.pick(&[None, Some(KeyIdentifier::Bytes(vec![]))]),
        7 => it.extra.push(any_extension(random)),
        8 => it.signed_by = key(random),
        9 => (it.number, it.authority_key_identifier) = (None, None),
        _ => {
            let mut revoked = Revoked::new(serial, date(random));
            revoked.reason = random.pick(&[None, Some(0), Some(1), Some(7), Some(8), Some(10), Some(11)]);
            if random.one_in(3) {
                revoked.extra.push(any_extension(random));
            }
            it.revoked.push(revoked);
            if random.one_in(4) {
                random.reorder(&mut it.revoked);
            }
        }
    }
}

fn chains(plan: &mut Plan, random: &mut Random) {
    use CertificateName::{Pck, PlatformCa, ProcessorCa, Root, TcbSigner};
    let chains = &mut plan.chains;
    if random.one_in(4) {
        chains.pck = Some(chains.quote.clone());
        plan.framing.certification_type = random.pick(&[5, 3, 1]);
    }
    let chain = match random.below(5) {
        0 => &mut chains.quote,
        1 => &mut chains.pck_crl_issuer,
        2 => &mut chains.tcb_info_issuer,
        3 => &mut chains.qe_identity_issuer,
        _ => chains.pck.as_mut().unwrap_or(&mut chains.quote),
    };
    match random.below(4) {
        0 => chain.push(random.pick(&[Pck, PlatformCa, ProcessorCa, Root, TcbSigner])),
        1 => chain.retain(|name| *name != Root),
        _ => random.reorder(chain),
    }
}

/// Another CA of the same name, with a key of its own or the same one: it issued the PCK certificate, or signed the list.
fn second_ca(plan: &mut Plan, random: &mut Random) {
    const SECOND: Key = Key::Other("second CA");
    let Some(name) = plan.chains.pck_crl_issuer.first().copied() else { return };
    let mut second = plan.certificates[name].clone();
    second.serial = vec![9; 20];
    if random.one_in(2) {
        second.key = SECOND;
    }
    let (key, other) = (second.key, CertificateName::Other(plan.certificates.others.len()));
    plan.certificates.others.push(second);
    if random.one_in(2) {
        plan.chains.quote.iter_mut().filter(|link| **link == name).for_each(|link| *link = other);
        plan.certificates.pck.signed_by = key;
    }
    if random.one_in(2) {
        plan.chains.pck_crl_issuer[0] = other;
        plan.crls.pck.signed_by = key;
    }
    if random.one_in(6) {
        plan.crls.root.revoked.push(Revoked::new(vec![9; 20], NOW));
    }
}

fn quote(plan: &mut Plan, random: &mut Random) {
    let bit = |random: &mut Random| 1u64 << random.below(64);
    let sgx = plan.body == BodyKind::Enclave;
    match random.below(16) {
        0 => plan.header.version = random.pick(&[2, 3, 4, 5, 6]),
        1 => plan.header.attestation_key_type = random.pick(&[0, 2, 3]),
        2 => plan.header.tee_type = random.pick(&[0, 0x81, 0x80, 0x8100_0000]),
        3 => random.flip(&mut plan.header.qe_vendor_id),
        4 => (plan.header.qe_svn, plan.header.pce_svn) = (random.byte().into(), random.byte().into()),
        5 => {
            if let Some(descriptor) = &mut plan.descriptor {
                descriptor.body_type = random.pick(&[0, 1, 2, 3, 4, 5]);
                descriptor.size = random.pick(&[384, 584, 648, 885, descriptor.size + 1]);
            }
        }
        6 => {
            // Another kind of quote, with the collateral for this one.
            let Plan { header, descriptor, body, framing, .. } = Plan::new(random.pick(&Kind::ALL), NOW);
            (plan.header, plan.descriptor, plan.body, plan.framing) = (header, descriptor, body, framing);
        }
        _ if sgx => match random.below(4) {
            0 => plan.enclave.attributes[0] ^= 1 << random.below(8),
            1 => random.flip(&mut plan.enclave.report_data),
            2 => random.flip(&mut plan.enclave.attributes),
            _ => plan.enclave.cpu_svn = [random.byte(); 16],
        },
        7 | 8 => {
            let attributes = u64::from_le_bytes(plan.td.td_attributes) ^ bit(random);
            plan.td.td_attributes = attributes.to_le_bytes();
        }
        9 => plan.td.xfam = (u64::from_le_bytes(plan.td.xfam) ^ bit(random)).to_le_bytes(),
        10 => plan.td.mr_service_td = random.pick(&[[0; 48], [1; 48]]),
        11 => random.flip(&mut plan.td.mr_signer_seam),
        12 => random.flip(&mut plan.td.seam_attributes),
        13 => plan.td.cur_service_td_hash = [1; 48],
        14 => {
            let (at, near) = (random.below(3), random.near(4) as u8);
            plan.td.tee_tcb_svn[at] = near;
        }
        _ => {
            let (at, near) = (random.below(16), random.near(4) as u8);
            plan.td.tee_tcb_svn2[at] = near;
        }
    }
}

fn qe(plan: &mut Plan, random: &mut Random) {
    match random.below(11) {
        0 => random.flip(&mut plan.qe_report.attributes),
        1 => plan.qe_report.attributes[0] ^= 1 << random.below(8),
        2 => plan.qe_report.misc_select = 1 << random.below(32),
        3 => random.flip(&mut plan.qe_report.mr_signer),
        4 => plan.qe_report.isv_prod_id = random.near(plan.qe_report.isv_prod_id.into()) as u16,
        5 => plan.qe_report.isv_svn = random.near(plan.qe_report.isv_svn.into()) as u16,
        6 => {
            let length = random.pick(&[0, 31, 32, 33, 64]);
            plan.auth_data = random.bytes(length);
        }
        7 => plan.attestation_key = key(random),
        8 => plan.quote_signed_by = key(random),
        9 => plan.qe_report_signed_by = key(random),
        _ => {
            let plain = plan.clone().unsigned().qe_report;
            let mut data: [u8; 64] = plain[320..].try_into().expect("64 bytes");
            random.flip(&mut data);
            plan.qe_report_data = Some(data);
        }
    }
}

fn framing(plan: &mut Plan, random: &mut Random) {
    let length = |random: &mut Random| Some(random.near(4700));
    let some = |random: &mut Random| vec![0; random.below(40)];
    let framing = &mut plan.framing;
    match random.below(11) {
        0 => framing.signature_data_length = length(random),
        1 => framing.nested = !framing.nested,
        2 => framing.outer_type = random.pick(&[0, 5, 6, 7]),
        3 => framing.outer_length = length(random),
        4 => framing.auth_data_length = Some(random.near(32) as u16),
        5 => framing.certification_type = random.pick(&[0, 1, 2, 3, 4, 5, 6]),
        6 => framing.certification_length = length(random),
        7 => framing.chain_end = random.pick(&[vec![], vec![0, 0], vec![10, 0], vec![0, 10], vec![32], vec![65]]),
        8 => framing.outer_trailing = some(random),
        9 => framing.signature_data_trailing = some(random),
        _ => framing.trailing = some(random),
    }
}
