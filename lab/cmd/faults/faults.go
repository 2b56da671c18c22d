package main

// fault is one of the cases that delivery is to survive.
type fault struct {
	what   string
	passes string   // criterion
	tests  []string // "package test": all of them must pass
}

const (
	hook = "./webhook "
	disk = "./internal/sqlite "
	tool = ". TestScripts/"
	core = "./pbx "
	life = "./lab/bridge "
)

// faults is the list, in the order of the table.
var faults = []fault{
	{"SIGKILL, 100 times at random", "every acknowledged event arrives, in order; at most what was in flight twice", []string{hook + "TestKill", hook + "TestKilledOften", disk + "TestKilledWriterLosesNothing"}},
	{"SIGKILL before and after each flush", "the same at 60 exact places", []string{hook + "TestKilledAtEveryFlush"}},
	{"SIGKILL with real Asterisk", "every answered call has its record, once", []string{life + "TestKilledDaemon", life + "TestKilledOften"}},
	{"power cut, 30 times", "every acknowledged event arrives; file sound; the test finds synchronous=NORMAL", []string{hook + "TestPowerCut", disk + "TestPowerCut", disk + "TestPowerCutFindsACarelessWriter"}},
	{"SIGTERM under load, 20 times", "ends within 10 s, complete, nothing twice", []string{hook + "TestStopUnderLoad", hook + "TestCleanEndMakesNoDuplicates", tool + "stop_ends_in_time_with_work_under_way"}},
	{"receiver down for three days", "a probe a minute, complete, back within 75 s", []string{hook + "TestLongOutage", hook + "TestScheduleOfAnOutage", hook + "TestOutageOutlivesTheProcess"}},
	{"receiver slow, silent, resetting, broken", "attempt fails in time and says why", []string{hook + "TestFaultyReceivers"}},
	{"answer after the time-out", "sent again under the same id", []string{hook + "TestLateAnswerIsSentAgain"}},
	{"receiver fails, then recovers", "slow start; order in each call; told once", []string{hook + "TestSlowStart", hook + "TestOrderUnderRandomFailures", tool + "failing_receiver_is_told_once_and_resumes"}},
	{"every HTTP status", "2xx alone is delivery, seven are the event's fault", []string{hook + "TestEveryStatus", hook + "TestEveryStatusOnTheWire"}},
	{"Retry-After of any kind", "obeyed from 1 s to 15 min, no hot loop", []string{hook + "TestRetryAfter", hook + "TestRetryAfterIsObeyed"}},
	{"redirects", "never delivery, never followed, the new place is named", []string{hook + "TestRedirects"}},
	{"one event refused", "dead after 5 attempts, others not held up, replay delivers it", []string{hook + "TestPoisonedEvent", hook + "TestStuckKeyHoldsUpNobody", hook + "TestOneBadEventIsNoOutage"}},
	{"all events refused", "the endpoint's fault: at most 20 dead", []string{hook + "TestRefusalOfEverythingIsTheEndpoint"}},
	{"401, 403, 404, 410 for an hour", "nothing dead, nothing lost", []string{hook + "TestMisconfiguredEndpointLosesNothing"}},
	{"wrong TLS", "an outage, never a dead letter", []string{hook + "TestCertificates"}},
	{"DNS gone, DNS moved", "an outage; the new address is used", []string{hook + "TestNameGoneAndMoved", hook + "TestUnreachable"}},
	{"connections closed after each answer", "no failed attempts", []string{hook + "TestClosedConnectionsAreNoFailures"}},
	{"endless answers, huge headers", "bounded memory and time", []string{hook + "TestEndlessAnswers", hook + "TestFaultyReceivers"}},
	{"disk full, freed; full at the start", "nothing acknowledged is lost, goes on by itself", []string{disk + "TestFullDisk", disk + "TestFullFileIsSaidOnce"}},
	{"file full", "dropped by weight, cdr never, counted", []string{hook + "TestFullFile", hook + "TestFullOfWhatMustStay", disk + "TestQuotaHoldsBackAndLetsGo"}},
	{"fsync fails, disk read-only", "not acknowledged; written again on a fresh handle", []string{disk + "TestFailingDisk", disk + "TestIOErrorIsRetriedOnAFreshHandle"}},
	{"fsync takes 20 ms, 200 ms", "nobody waits for it, commits grow", []string{disk + "TestSlowDisk"}},
	{"clock steps, 1970 at boot", "order the same, waits end, no hot loop", []string{hook + "TestClockSteps", hook + "TestEventOfTheFutureIsSent", hook + "TestStoredTimesAreNotTrusted"}},
	{"Asterisk restarts, link cut", "records of the gap, each once", []string{core + "TestRecordsOfAGap", core + "TestMissedRecords", life + "TestAsteriskRestart", life + "TestFrozenAsterisk"}},
	{"odd bodies: 1 MB, no UTF-8, empty", "sent as they are", []string{hook + "TestBodiesAreSentAsTheyAre", hook + "TestPutRefusesTheUnsendable"}},
	{"burst of 20,000 events, receiver down", "all that must stay arrives, states are coalesced", []string{hook + "TestBurst"}},
	{"readers all the time, a long reader", "the log stays below twice its limit; the writer goes on", []string{disk + "TestLogIsBoundedUnderConstantReaders", disk + "TestLongReaderDoesNotStopTheWriter"}},
	{"one of two receivers down, SIGKILL with both", "the other one is not delayed; both complete and in order", []string{hook + "TestReceiversDoNotHinderEachOther", hook + "TestKillWithTwoReceivers", hook + "TestDeadLetterOfOneReceiver", hook + "TestReceiverRemovedAndBack", tool + "several_receivers_have_a_queue_each"}},
	{"a long queue: 1,000,000 events", "first request within 1 s, memory below 60 MB, half the raw limit at least", []string{hook + "TestMemoryOfALongQueue", hook + "TestLongQueue"}},
	{"database damaged", "refused as it is; --recover saves what can be read, the gap is told", []string{disk + "TestDamagedFile", disk + "TestRecoveredIdsGoOn", disk + "TestDamageFoundLaterEndsTheWriter", disk + "TestLogRemovedOrGarbage", hook + "TestRecoveredQueue", tool + "damaged_database_is_recovered_when_asked"}},
	{"database removed, replaced", "written again before anything is acknowledged; another file is left alone", []string{disk + "TestRemovedFileIsWrittenAgain", disk + "TestReplacedFileEndsTheWriter"}},
	{"upgrade fails, newer file", "the old file as it was; refused", []string{disk + "TestFailedUpgradeLeavesTheOldFile", disk + "TestUpgradeNeedsItsCopy", disk + "TestMigrate", hook + "TestFileFromBeforeSeveralReceivers", hook + "TestFullFileFromBefore"}},
	{"two daemons on one file", "the second one ends and says why; a tool may", []string{disk + "TestSecondDaemonIsRefused", tool + "two_daemons_do_not_share_a_database", hook + "TestToolBesideTheDaemon"}},
	{"a token in the URL, any failure", "in no log line, metric, answer or command", []string{hook + "TestFaultyReceivers", hook + "TestAnswerIsKeptWithoutSecrets", tool + "secrets_are_in_no_log_line"}},
}
