//! Intel's extension of PCK certificates.

use holdfast_evidence::{
    mock::{Ca, Extension, Kind, Plan, Platform, SgxExtension},
    CertificateKind, Configuration, Error, Policy,
};

use crate::case::{changed, judge, Kept, Stage, NOW};

/// The object identifier's content, and its parent's.
const OID: [u8; 10] = [0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01, 0x00];

/// Why a quote is refused that is good but for this change of the extension.
fn with(change: impl Fn(&mut SgxExtension)) -> Option<Error> {
    changed::<Plan>(Kind::Sgx, |it| change(it.certificates.pck.sgx.as_mut().expect("a PCK certificate's"))).err()
}

fn lacks(what: &str) -> Option<Error> {
    Some(Error::SgxExtension { what: what.into() })
}

/// One more element: an identifier below the extension's, and a value.
fn entry(arcs: &[u8], value: &[u8]) -> Vec<u8> {
    let oid = [&OID[..9], arcs].concat();
    sequence(&[&[0x06, oid.len() as u8], &oid[..], value].concat())
}

/// A short one.
fn sequence(content: &[u8]) -> Vec<u8> {
    [&[0x30, content.len() as u8], content].concat()
}

#[test]
fn a_pck_certificate_has_it_once() {
    let sgx = "1.2.840.113741.1.13.1".parse().expect("an object identifier");
    let error = changed::<Plan>(Kind::Sgx, |it| it.certificates.pck.sgx = None).err();
    assert_eq!(error, lacks("it"));
    let again = |value: Vec<u8>| {
        changed::<Plan>(Kind::Sgx, |it| {
            it.certificates.pck.extra = vec![Extension { oid: sgx, critical: false, value }];
        })
    };
    let own = SgxExtension::new(&Platform::default()).der();
    let twice = Some(Error::CertificateEncoding { certificate: CertificateKind::Pck });
    assert_eq!(again(own).err(), twice);
    assert_eq!(again(vec![]).err(), twice);
    let critical = changed::<Plan>(Kind::Sgx, |it| {
        let value = it.certificates.pck.sgx.take().expect("a PCK certificate's").der();
        it.certificates.pck.extra = vec![Extension { oid: sgx, critical: true, value }];
    });
    let certificate = CertificateKind::Pck;
    let found = "1.2.840.113741.1.13.1".into();
    assert_eq!(critical.err(), Some(Error::CriticalExtension { certificate, found }));
}

#[test]
fn each_of_its_fields_must_be_there() {
    assert_eq!(with(|it| it.ppid = None), lacks("PPID"));
    assert_eq!(with(|it| it.pce_id = None), lacks("PCE-ID"));
    assert_eq!(with(|it| it.fmspc = None), lacks("FMSPC"));
    assert_eq!(with(|it| it.sgx_type = None), lacks("SGX type"));
    // But for what only platforms of several packages have.
    assert_eq!(with(|it| (it.platform_instance_id, it.configuration) = (None, None)), None);
    // Inside the TCB.
    assert_eq!(with(|it| it.pce_svn = None), lacks("its structure"));
    assert_eq!(with(|it| it.cpu_svn = None), lacks("its structure"));
    assert_eq!(with(|it| it.components.truncate(15)), lacks("its structure"));
    assert_eq!(with(|it| it.components.clear()), lacks("its structure"));
}

#[test]
fn each_of_its_fields_has_its_length() {
    type Field = fn(&mut SgxExtension) -> &mut Option<Vec<u8>>;
    let fields: [Field; 5] = [
        |it| &mut it.ppid,
        |it| &mut it.cpu_svn,
        |it| &mut it.pce_id,
        |it| &mut it.fmspc,
        |it| &mut it.platform_instance_id,
    ];
    for field in fields {
        assert_eq!(with(|it| field(it).as_mut().expect("a value").push(0)), lacks("its structure"));
        assert_eq!(with(|it| field(it).as_mut().expect("a value").truncate(1)), lacks("its structure"));
        assert_eq!(with(|it| *field(it) = Some(vec![])), lacks("its structure"));
    }
    // Numbers.
    for component in 0..16 {
        assert_eq!(with(|it| it.components[component] = 256), lacks("its structure"));
    }
    assert_eq!(with(|it| it.components.push(0)), lacks("its structure"));
    assert_eq!(with(|it| it.pce_svn = Some(0x7FFF)), None);
    assert_eq!(with(|it| it.pce_svn = Some(0x8000)), lacks("its structure"));
    assert_eq!(with(|it| it.sgx_type = Some(0x80)), lacks("its structure"));
    assert_eq!(with(|it| it.sgx_type = Some(2)), None);
}

#[test]
fn each_of_its_fields_is_there_once() {
    let octets = |length: u8| [&[0x04, length][..], &vec![0; length.into()]].concat();
    for (arc, value) in
        [(1, octets(16)), (3, octets(2)), (4, octets(6)), (5, vec![0x0A, 1, 0]), (6, octets(16)), (7, vec![0x30, 0])]
    {
        assert_eq!(with(|it| it.extra = vec![entry(&[arc], &value)]), lacks("its structure"), "{arc}");
    }
    // The TCB once more: in it all is there, so that only its number is wrong.
    let own = SgxExtension::new(&Platform::default()).der();
    let at = own.windows(10).position(|bytes| bytes == [&OID[..9], &[2]].concat()).expect("the TCB") - 6;
    let [0x30, 0x82, high, low] = own[at..at + 4] else { panic!("a long sequence") };
    let tcb = own[at..at + 4 + usize::from(u16::from_be_bytes([high, low]))].to_vec();
    assert_eq!(with(|it| it.extra = vec![tcb.clone()]), lacks("its structure"));
}

#[test]
fn its_fields_are_of_their_types() {
    for (arc, good, bad) in
        [(1, vec![0x04, 16], vec![0x03, 16]), (3, vec![0x04, 2], vec![0x05, 2]), (4, vec![0x04, 6], vec![0x0C, 6])]
    {
        // The field at the end, in the place where further ones are.
        let value = |header: &[u8]| [header, &vec![0; header[1].into()]].concat();
        let moved = |it: &mut SgxExtension, header: &[u8]| {
            match arc {
                1 => it.ppid = None,
                3 => it.pce_id = None,
                _ => it.fmspc = None,
            }
            it.extra = vec![entry(&[arc], &value(header))];
        };
        assert_ne!(with(|it| moved(it, &good)), lacks("its structure"), "{arc}");
        assert_eq!(with(|it| moved(it, &bad)), lacks("its structure"), "{arc}");
    }
    for bad in [&[0x02, 1, 0][..], &[0x0A, 2, 0, 0], &[0x0A, 0], &[0x04, 1, 0]] {
        let error = with(|it| (it.sgx_type, it.extra) = (None, vec![entry(&[5], bad)]));
        assert_eq!(error, lacks("its structure"));
    }
    for bad in [&[0x31, 0][..], &[0x04, 0]] {
        let error = with(|it| (it.configuration, it.extra) = (None, vec![entry(&[7], bad)]));
        assert_eq!(error, lacks("its structure"));
    }
    let flag = |arc, value: &[u8]| sequence(&entry(&[7, arc], value));
    for (value, good) in [(&[1, 1, 0xFF][..], true), (&[1, 1, 0], true), (&[1, 1, 1], false), (&[2, 1, 0], false)] {
        for arc in 1..=3 {
            let error = with(|it| (it.configuration, it.extra) = (None, vec![entry(&[7], &flag(arc, value))]));
            assert_eq!(error, if good { None } else { lacks("its structure") }, "{arc} {value:?}");
        }
    }
    let twice = sequence(&[entry(&[7, 1], &[1, 1, 0]), entry(&[7, 1], &[1, 1, 0])].concat());
    let error = with(|it| (it.configuration, it.extra) = (None, vec![entry(&[7], &twice)]));
    assert_eq!(error, lacks("its structure"));
}

#[test]
fn what_intel_may_add_is_skipped_and_nothing_else() {
    assert_eq!(with(|it| it.extra = vec![entry(&[8], &[5, 0]), entry(&[9], &[5, 0])]), None);
    let more = sequence(&entry(&[7, 4], &[5, 0]));
    assert_eq!(with(|it| (it.configuration, it.extra) = (None, vec![entry(&[7], &more)])), None);

    let mut elsewhere = entry(&[8], &[5, 0]);
    elsewhere[4] ^= 1;
    let mut no_oid = entry(&[8], &[5, 0]);
    no_oid[2] = 4;
    for bad in [
        elsewhere,
        no_oid,
        entry(&[], &[5, 0]),
        entry(&[8, 1], &[5, 0]),
        entry(&[8], &[]),
        entry(&[8], &[5, 0, 5, 0]),
        vec![0x31, 0],
        vec![5, 0],
        vec![0x30, 0],
        vec![0],
        vec![0x30],
    ] {
        assert_eq!(with(|it| it.extra = vec![bad.clone()]), lacks("its structure"), "{bad:02x?}");
    }
}

#[test]
fn what_is_not_a_sequence_is_no_extension() {
    let oid = "1.2.840.113741.1.13.1".parse().expect("an object identifier");
    let own = SgxExtension::new(&Platform::default()).der();
    let mut long = own.clone();
    long.push(0);
    let mut set = own.clone();
    set[0] = 0x31;
    let short = own[..own.len() - 1].to_vec();
    for (value, error) in [
        (own, None),
        (vec![0x30, 0], lacks("TCB")),
        (vec![], lacks("its structure")),
        (long, lacks("its structure")),
        (set, lacks("its structure")),
        (short, lacks("its structure")),
    ] {
        let found = changed::<Plan>(Kind::Sgx, |it| {
            it.certificates.pck.sgx = None;
            it.certificates.pck.extra = vec![Extension { oid, critical: false, value }];
        });
        assert_eq!(found.err(), error);
    }
}

#[test]
fn the_lower_of_components_and_cpusvn_counts() {
    let components = |change: fn(&mut SgxExtension)| {
        let mut plan = Plan::new(Kind::Sgx, NOW);
        plan.tcb_info.tcb_levels[0].tcb.sgx_components.iter_mut().for_each(|component| component.svn = 0);
        change(plan.certificates.pck.sgx.as_mut().expect("a PCK certificate's"));
        Kept::new(&plan).pck.platform.components
    };
    let [first, rest @ ..] = Platform::default().cpu_svn;
    assert_eq!(components(|_| ())[0], first);
    for change in [
        |it: &mut SgxExtension| it.components[0] = 1,
        |it: &mut SgxExtension| it.cpu_svn.as_mut().expect("CPUSVN")[0] = 1,
    ] {
        let found = components(change);
        assert_eq!((found[0], &found[1..]), (1, &rest[..]));
    }
    for change in [
        |it: &mut SgxExtension| it.components[0] = 9,
        |it: &mut SgxExtension| it.cpu_svn.as_mut().expect("CPUSVN")[0] = 9,
    ] {
        assert_eq!(components(change)[0], first);
    }
}

#[test]
fn it_says_which_platform_it_is() {
    for ca in [Ca::Platform, Ca::Processor] {
        let platform = Platform { ca, pce_svn: 0x0203, sgx_type: 2, dynamic_platform: true, ..Platform::default() };
        let plan = Plan::of(Kind::Sgx, &platform, NOW);
        let found = judge(&plan.finish(), NOW, &Policy::strict()).expect("good").pck.platform;
        let packages = ca == Ca::Platform;
        let configuration =
            Configuration { dynamic_platform: Some(true), cached_keys: Some(true), smt_enabled: Some(true) };
        let expected = holdfast_evidence::SgxExtension {
            ppid: platform.ppid,
            components: platform.cpu_svn,
            pce_svn: 0x0203,
            pce_id: platform.pce_id,
            fmspc: platform.fmspc,
            sgx_type: 2,
            platform_instance_id: packages.then_some(platform.platform_instance_id),
            configuration: packages.then_some(configuration),
        };
        assert_eq!(found, expected);
    }
}
