package pbx

// basicBridge is the type of the bridges in which a call talks; conferences have others.
const basicBridge = "basic"

// unite brings who enters a bridge and all who are in it into the oldest of their calls. Asterisk does so as soon as they meet
// (ast_bridge_channel_update_linkedids), and tells it with the next event of each, which may be that of its end. It goes by when it made the channel that
// a Linkedid is of. The id does not tell that: ours have the time of our clock, and ARI takes any text.
func (s *state) unite(ch *channel, others []*channel) {
	oldest := ch
	for _, other := range others {
		if other.call.started.Before(oldest.call.started) {
			oldest = other
		}
	}
	linked := oldest.Linked
	for _, each := range append([]*channel{ch}, others...) {
		if each.Linked != linked {
			s.moveChannel(each, linked)
		}
	}
}
