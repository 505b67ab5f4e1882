//! Payloads in descriptors: with which bytes they go, and what becomes of them when the connection
//! is lost.

use super::*;

const SIZE: usize = 64 << 10;

impl Pair {
    /// Asks for descriptors, and gets them if the daemon grants what is asked.
    fn asking() -> Self {
        let mut pair = Self::new();
        pair.session = pair.session.taking_descriptors(true);
        pair
    }

    fn publish_sealed(&mut self, waiter: &'static str, byte: u8) -> Arc<SealedMemory> {
        let memory = Arc::new(SealedMemory::create(&[byte; SIZE]).unwrap());
        let id = MessageId::from_parts(1, &[byte; 10]);
        let mut publication = publication("");
        publication.options.message_id = Some(id);
        let payload_bytes = SIZE as u64;
        let frame = frame(Operation::PublishSealed { publication, payload_bytes });
        let sealed = Some(Arc::clone(&memory));
        self.ask(Command::Publish { frame, sealed, id, waiter });
        memory
    }

    /// What goes at once: how many descriptors, and the operations of the bytes.
    fn hear_once(&mut self) -> (usize, Vec<String>) {
        let bytes = self.session.unwritten().to_vec();
        let sealed = self.session.unwritten_sealed().len();
        self.session.written(bytes.len());
        (sealed, read(&bytes).into_iter().map(|(_, what)| what).collect())
    }

    /// A message with flag 0x02 for subscription 2.
    fn sealed_message(&mut self, bytes: u64) -> Result<usize, Loss> {
        let delivery = Delivery { sealed_bytes: Some(bytes), ..delivery("a", "") };
        let subscription = NonZeroU32::new(2).unwrap();
        let mut bytes = Vec::new();
        deliver::event(&mut bytes, &Event::Message { subscription, delivery });
        self.session.receive(self.now, &bytes)
    }
}

fn handed(size: usize) -> Handed {
    Ok(Payload::from_memory(&SealedMemory::create(&vec![b'x'; size]).unwrap()).unwrap())
}

#[test]
fn descriptors_go_with_their_frames_and_with_no_others() {
    let mut pair = Pair::asking();
    pair.connect();
    pair.post("1");
    let memory = pair.publish_sealed("one", b'1');
    pair.publish_sealed("two", b'2');
    pair.post("22");
    pair.publish_sealed("three", b'3');
    let sealed = format!("pub sealed {SIZE}");
    assert_eq!(pair.hear_once(), (0, vec!["pub 1".to_owned()]));
    // A write that takes a byte takes all the descriptors.
    let whole = pair.session.unwritten().to_vec();
    assert_eq!(read(&whole).len(), 2);
    assert!(Arc::ptr_eq(&pair.session.unwritten_sealed()[0], &memory));
    assert_eq!(pair.session.unwritten_sealed().len(), 2);
    pair.session.written(1);
    let rest = pair.session.unwritten().to_vec();
    assert_eq!(pair.session.unwritten_sealed().len(), 0);
    let post = rest.strip_prefix(&whole[1..]).unwrap();
    assert_eq!(whats(&read(post)), ["pub 22"]);
    pair.session.written(rest.len());
    assert_eq!(pair.hear_once(), (1, vec![sealed]));
    assert!(pair.session.unwritten().is_empty());
}

#[test]
fn without_a_connection_or_a_grant_the_payload_goes_in_its_frame() {
    let mut pair = Pair::new();
    let text = |byte: char| format!("pub {}+id", String::from(byte).repeat(SIZE));
    pair.publish_sealed("one", b'1');
    pair.connect();
    pair.publish_sealed("two", b'2');
    let expected = [text('1'), text('2')];
    assert_eq!(whats(&pair.hear()), expected);
    assert_eq!(pair.session.unwritten_sealed().len(), 0);
}

#[test]
fn after_a_loss_it_is_repeated_in_its_frame_whatever_was_sent() {
    let mut pair = Pair::asking();
    pair.connect();
    pair.publish_sealed("one", b'1');
    pair.hear();
    pair.publish_sealed("two", b'2');
    pair.session.unwritten();
    pair.session.written(3);
    pair.publish_sealed("three", b'3');
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    let text = |byte: &str| format!("pub {}+id", byte.repeat(SIZE));
    assert_eq!(whats(&pair.hear()), ["1", "2", "3"].map(text));
    // And what is published from now on is handed over again.
    pair.publish_sealed("four", b'4');
    assert_eq!(pair.hear_once().0, 1);
}

#[test]
fn where_no_descriptor_can_go_now_the_payload_is_copied() {
    let mut pair = Pair::asking();
    pair.connect();
    pair.post("1");
    pair.publish_sealed("one", b'1');
    assert_eq!(pair.hear_once().0, 0);
    assert!(!pair.session.unwritten().is_empty());
    pair.session.copy_sealed();
    assert_eq!(pair.session.unwritten_sealed().len(), 0);
    assert_eq!(whats(&pair.hear()), [format!("pub {}+id", "1".repeat(SIZE))]);
}

#[test]
fn what_comes_in_a_descriptor_has_to_be_what_its_message_says() {
    let mut pair = Pair::asking();
    pair.connect();
    pair.subscribe(1, "a");
    pair.hear();
    pair.session.hand_over(handed(SIZE));
    pair.session.hand_over(handed(SIZE));
    assert!(pair.sealed_message(SIZE as u64).is_ok());
    let outputs = pair.outputs();
    let [Output::Deliver { items, .. }] = &outputs[..] else { panic!("{outputs:?}") };
    let [Incoming::Message(message)] = &items[..] else { panic!("{items:?}") };
    assert!(!message.is_mapped() && message.payload() == [b'x'; SIZE]);
    assert!(matches!(pair.sealed_message(SIZE as u64 + 1), Err(Loss::Unreadable(_))));
    assert!(matches!(pair.sealed_message(SIZE as u64), Err(Loss::Unreadable(_))));
    pair.session.hand_over(Err("it is a pipe".to_owned()));
    let Err(Loss::Unreadable(refusal)) = pair.sealed_message(SIZE as u64) else { panic!() };
    assert_eq!(refusal.text, "it is a pipe");
}
