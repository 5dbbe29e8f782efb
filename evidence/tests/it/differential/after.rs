//! Changes to evidence that was signed already: of those to what is signed, no verifier should accept any.

use holdfast_evidence::{certificates, mock::Signed, Part};

use super::{
    cases::{mocks, real},
    der,
    json::changed_text,
    random::Random,
};

pub(super) fn change(signed: &mut Signed, random: &mut Random, story: &mut Vec<String>) {
    let it = &mut signed.collateral;
    story.push(
        match random.below(14) {
            0 | 1 => {
                random.change(&mut signed.quote);
                "the quote"
            }
            2 => {
                let at = random.below(signed.quote.len().min(1100));
                random.flip(&mut signed.quote[at..=at]);
                "a byte of the quote"
            }
            3 => {
                let list = if random.one_in(2) { &mut it.root_ca_crl } else { &mut it.pck_crl };
                *list = der::changed(list, random);
                "a list"
            }
            4 => {
                let list = if random.one_in(2) { &mut it.root_ca_crl } else { &mut it.pck_crl };
                random.change(list);
                "bytes of a list"
            }
            5..=7 => {
                let chain = match random.below(4) {
                    0 => &mut it.pck_crl_issuer_chain,
                    1 => &mut it.tcb_info_issuer_chain,
                    2 => &mut it.qe_identity_issuer_chain,
                    // As it is in the quote.
                    _ => it.pck_certificate_chain.get_or_insert_with(|| chain_in(&signed.quote)),
                };
                *chain = changed_chain(chain, random);
                "a chain"
            }
            8 => {
                let text = if random.one_in(2) { &mut it.tcb_info } else { &mut it.qe_identity };
                *text = changed_text(text, random);
                "a document"
            }
            9 => {
                let signature =
                    if random.one_in(2) { &mut it.tcb_info_signature } else { &mut it.qe_identity_signature };
                match random.below(4) {
                    0 => signature.truncate(random.below(64)),
                    1 => signature.iter_mut().take(32).for_each(|byte| *byte = 0),
                    2 => *signature = negated(signature).unwrap_or_default(),
                    _ => random.change(signature),
                }
                "a document's signature"
            }
            10 => {
                let part = signed.quote.len().min(1000);
                let from = random.below(part);
                signed.quote[from..part].fill(random.pick(&[0, 0xFF]));
                "a stretch of the quote"
            }
            _ => swap(signed, random),
        }
        .into(),
    );
}

/// Another evidence's in place of one part.
fn swap(signed: &mut Signed, random: &mut Random) -> &'static str {
    let other =
        if random.one_in(2) { &real()[random.below(4)].0 } else { &mocks()[random.below(mocks().len())].signed };
    let (it, others) = (&mut signed.collateral, &other.collateral);
    match random.below(11) {
        0 => {
            signed.quote = other.quote.clone();
            "another's quote"
        }
        1 => {
            it.root_ca_crl = others.root_ca_crl.clone();
            "another's root CRL"
        }
        2 => {
            it.pck_crl = others.pck_crl.clone();
            "another's PCK CRL"
        }
        3 => {
            it.pck_crl = others.pck_crl.clone();
            it.pck_crl_issuer_chain = others.pck_crl_issuer_chain.clone();
            "another's PCK CRL and its signer"
        }
        4 => {
            it.tcb_info = others.tcb_info.clone();
            it.tcb_info_signature = others.tcb_info_signature.clone();
            "another's TCB info"
        }
        5 => {
            it.qe_identity = others.qe_identity.clone();
            it.qe_identity_signature = others.qe_identity_signature.clone();
            "another's QE identity"
        }
        6 => {
            it.pck_certificate_chain = Some(chain_in(&other.quote));
            "another's PCK chain"
        }
        7 => {
            std::mem::swap(&mut it.tcb_info_issuer_chain, &mut it.pck_crl_issuer_chain);
            "issuer chains swapped"
        }
        8 => {
            std::mem::swap(&mut it.tcb_info_signature, &mut it.qe_identity_signature);
            "signatures swapped"
        }
        9 => {
            std::mem::swap(&mut it.root_ca_crl, &mut it.pck_crl);
            "lists swapped"
        }
        // The body of one, the signatures of the other.
        _ => {
            let (length, at) = (signed.quote.len().min(other.quote.len()), random.pick(&[48, 432, 632, 764, 1000]));
            signed.quote[at..length].copy_from_slice(&other.quote[at..length]);
            "half of another's quote"
        }
    }
}

/// The text of the chain in a quote, if there is one.
fn chain_in(quote: &[u8]) -> String {
    let begin = quote.windows(10).position(|window| window == b"-----BEGIN").unwrap_or(quote.len());
    String::from_utf8_lossy(&quote[begin..]).trim_end_matches('\0').to_owned()
}

fn changed_chain(chain: &str, random: &mut Random) -> String {
    const END: &str = "-----END CERTIFICATE-----";
    let mut texts: Vec<String> = chain.split_inclusive(END).map(ToOwned::to_owned).collect();
    match random.below(12) {
        0..=2 => random.reorder(&mut texts),
        3 => return chain.replace('\n', random.pick(&["\r\n", "\r", "", "\n\n", " \n"])),
        4 => {
            return chain
                .replace("CERTIFICATE", random.pick(&["X509 CERTIFICATE", "TRUSTED CERTIFICATE", "certificate"]))
        }
        5 => {
            return format!(
                "{}{chain}{}",
                random.pick(&["", " ", "\n", "x\n", "\u{FEFF}"]),
                random.pick(&["", "\0", "x", "\n\n"])
            )
        }
        6 => {
            return chain.replacen(
                "-----\n",
                random.pick(&["-----\nProc-Type: 4\n\n", "-----\n\n", "----- \n", "-----"]),
                1,
            )
        }
        7 => return chain.replacen(END, &format!("={END}"), 1),
        8..=10 => {
            // One of its certificates in DER, changed and wrapped up again.
            let Ok(mut all) = certificates(Part::PckChain, chain.as_bytes()) else { return String::new() };
            let at = random.below(all.len());
            all[at] = der::changed(&all[at], random);
            let encode = |der: &Vec<u8>| pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, der);
            return all.iter().map(|der| encode(der).expect("short")).collect();
        }
        _ => return changed_text(chain, random),
    }
    texts.concat()
}

/// r and the group's order less s: as valid as r and s.
fn negated(signature: &[u8]) -> Option<Vec<u8>> {
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    let (r, s) = signature.split_scalars();
    let negated = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).ok()?;
    Some(negated.to_bytes().to_vec())
}
