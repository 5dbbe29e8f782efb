use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[test]
fn a_peer_with_bare_ductile_sees_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let bare = thread::spawn(move || {
        let (sender, receiver) = ductile::connect_unix_channel::<_, Vec<u8>, Vec<u8>>(path).unwrap();
        while let Ok(mut message) = receiver.recv() {
            message.reverse();
            sender.send(message).unwrap();
        }
    });
    let (mut sender, mut receiver) = open(listener.accept().unwrap().0.into(), soon()).unwrap();
    for length in [0, 1, 11, 12, 13, 1000, 8191, 8192, 20_000, crate::MAX_MESSAGE] {
        let message: Vec<u8> = (0..length).map(|i| i as u8).collect();
        sender.send(message.clone(), Some(soon())).unwrap();
        let Received::Message(mut answer) = receiver.recv(None).unwrap() else { panic!("no answer") };
        answer.reverse();
        assert_eq!(answer, message);
    }
    drop((sender, receiver));
    bare.join().unwrap();
}
