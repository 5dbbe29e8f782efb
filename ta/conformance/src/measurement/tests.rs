use holdfast_ta::{RsaPublicKey, Scheme};
use sp_core::bytes::from_hex;

use super::*;

// Made by OpenSSL 3.0 over a nonce that Python computed: `openssl dgst -sha256 -sign`, with
// `rsa_padding_mode:pss` and the salt's length as `rsa_pss_saltlen`.
const MODULUS: &str = "0x\
    b67dd95d7ef91fcdf76fe342974ceb97731d2e13e419f698575866b89f846adffdc781e01c4f57842d9cc2b1db5a7814b523\
    0d85cf638e7ffb3c781521f8e83f175d0317d1c8c8bbe721de5bd4a86526e42aa198fefa4b1f21720ce724adc897a5d91386\
    e7d80dbde75b3f97f90c4b025a1c87ed39807bcd7a1978df85084ecb316c7a41a2270e2fc4c4dcab41b8e4f881325f52c45e\
    85b834f3b569d1b04054373f12c1106653a7ef0da6840895bc7a7c337af8b672b360f6dda852649e515d1bc11c9d31ece70e\
    3e6cb72b43196f3d7516a2c2a3642338a6b0ee49b02d4adf7df7a456a65ef6abd563f965c6a2248540886aa1be74f486f831\
    1744c497296d";
const SALT_OF_32: &str = "0x\
    264e583845e78a2fc7786ecf246e169dedb8e98562a8a13446cb3828429ef6451f47f0abaeba43469461e13258356ab82db3\
    d04705f2087011660ad766e82873d34d6473f30dbfd64186f4552fe663e787ca80b21a05767e6229a9aff7cb7411fb75baeb\
    c5d3f968c4dd69353ad76c700af344518e78ac78da05703f19df19b679b1f19d5c4e28b243de1fb0b0bb0ed1ce821ba61d54\
    5a8d1abea84b720b289860da8fe83eb1afc4f7cfa95278feefed02e3c90bf03b47862b14b54a1bb4e4d88c4910023e8374f3\
    6948913303d4b28be8f77bfd3f33154f988f9721afcaa238e6df3cd8246e32055a7150e158cc2c0791191469e196f00fc496\
    521d6ce69978";
const SALT_OF_20: &str = "0x\
    8efa4654ebeae544f7e53ce3fe3926a1411c7587a0f666994cac3d7758e9e08d9209eb0f35a7361474d43a4d9d22ba0178f4\
    bc89965cb163e2c7d3b05913f8c0c1bb2c7a3dde14d82a52ada74d29141c544129ee584da6ea047a3f17383bf8cf2ea28b5e\
    85c643c4081e45e2e1372980539d953911a478b6910f30697a55e7366229c4bc748e120eaf59da466b43573e4c5c861412d6\
    7cf6778523eac5546f4c89f36e84d8abadcfcff1ad0d3361d3cbc5778e007ae410677a3a74b155b92408b65aa29ac1cc7091\
    3da385bc6b587d9fbfbbbfb94b4f566c3176f3547b1bef08705de268b702202cd84987aab03dc136330584d8206c9502f81b\
    84337895e2e6";
/// With PKCS #1 v1.5's padding in place of PSS.
const PADDED: &str = "0x\
    10d67aa94af8bf0e8645fd80f396003806281bd3ff1ed1a8afdd94bce568ed9e38bafffae192d789b890d6772f98ed224bc4\
    3fc460c2d29c3772d7589a719ddb29b3772c782069287f1cc8f201878e2408de5f79e25928300e1c90ef9c42df5534671127\
    164cbf7a28b3a61c42a58cd6df89c1cb0d3effd0af50ab7a3afcd7e67a21678e4d7fb54a4f3533951fe8335df48e5861bd5c\
    feef5d95377017e76e07d45fdf1ed74996ed9043e9432fb50ba748bfc19eb2de2a40ca5f015bda404602f1b6ddce5ab4507c\
    ef7f6777ee913af98b507e822eb7bc8d0a2cdba884b396ff52c1e6283894d873bd97105133bcb3e937ddd2a8a600f5fbb155\
    5a8279935b13";

fn challenge() -> [u8; 64] {
    std::array::from_fn(|at| at as u8)
}

fn keys() -> [KeyId; 2] {
    [
        KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: vec![0xaa; 32] },
        KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![0xbb; 32] },
    ]
}

fn measured(signature: &str) -> Measured {
    let [modulus, signature] = [MODULUS, signature].map(|text| from_hex(text).unwrap());
    let signer = RsaPublicKey { exponent: vec![1, 0, 1], modulus };
    Measured { counter: 7, measurement: [0x4d; 32], signature, signer }
}

#[test]
fn what_openssl_signed_over_the_documented_nonce_verifies() {
    assert_eq!(verify_measurement(&challenge(), &keys(), &measured(SALT_OF_32)), Ok(()));
}

#[test]
fn another_salt_or_padding_does_not() {
    for signature in [SALT_OF_20, PADDED] {
        assert!(verify_measurement(&challenge(), &keys(), &measured(signature)).is_err());
    }
}

#[test]
fn nothing_else_that_it_could_stand_for_verifies() {
    let (mut challenge, keys, good) = (challenge(), keys(), measured(SALT_OF_32));
    let [aura, gran] = keys.clone();
    for others in [vec![], vec![aura.clone()], vec![gran, aura.clone()], vec![aura.clone(), aura]] {
        assert!(verify_measurement(&challenge, &others, &good).is_err());
    }
    let mut changed: [Measured; 5] = std::array::from_fn(|_| good.clone());
    changed[0].counter += 1;
    changed[1].measurement[31] ^= 1;
    changed[2].signature[100] ^= 1;
    changed[3].signature.pop();
    changed[4].signer.modulus[5] ^= 1;
    for measured in changed {
        assert!(verify_measurement(&challenge, &keys, &measured).is_err(), "{measured:?}");
    }
    challenge[63] ^= 1;
    assert!(verify_measurement(&challenge, &keys, &good).is_err());
}

#[test]
fn a_signer_that_is_no_key_is_an_error_too() {
    let huge = vec![0xff; 2048];
    for (exponent, modulus) in [(vec![], vec![]), (vec![1, 0, 1], vec![]), (vec![0], huge.clone()), (vec![3], huge)] {
        let measured = Measured { signer: RsaPublicKey { exponent, modulus }, ..measured(SALT_OF_32) };
        assert!(verify_measurement(&challenge(), &keys(), &measured).is_err());
    }
}
