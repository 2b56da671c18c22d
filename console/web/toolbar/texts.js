// What the toolbar says.

import { addTexts, said } from "../i18n.js";

addTexts({
  en: {
    "bar.title": "Agent toolbar", "bar.extension": "Extension or user", "bar.password": "Password of the phone", "bar.own": "Your extension",
    "bar.queues": "Queues", "bar.queuesHint": "With commas. Leave it empty to stay in those where you are.", "bar.signIn": "Sign in", "bar.signOut": "Sign out",
    "bar.joinQueues": "Sign in to queues", "bar.ready": "Ready", "bar.break": "Break", "bar.reason": "Reason of the break", "bar.stateOf": "State",
    "bar.lost": "No connection. What you see is what was last known.", "bar.asterisk": "The telephone system is away. What you see is what was last known.",
    "bar.connecting": "Connecting…", "bar.up": "Connected",
    "bar.logout": "Not signed in to a queue", "bar.login": "Signed in, not ready yet", "bar.unready": "On a break", "bar.busy": "On a call",
    "bar.acw": "After-call work", "bar.left": "{seconds} s left",
    "bar.dial": "Dial", "bar.number": "Number to dial", "bar.hangup": "Hang up", "bar.answer": "Answer", "bar.hold": "Hold", "bar.unhold": "Resume", "bar.target": "Number to pass the call to",
    "bar.transfer": "Transfer", "bar.consult": "Ask first", "bar.complete": "Connect them", "bar.cancel": "Back to the caller", "bar.three": "Three-way",
    "bar.leave": "Let {number} go", "bar.listen": "Listen", "bar.listenTo": "Extension to listen to", "bar.unlisten": "Stop listening",
    "bar.incoming": "Incoming call", "bar.outgoing": "Outgoing call", "bar.talking": "Talking", "bar.onHold": "On hold", "bar.asking": "Asking {number}",
    "bar.unknown": "unknown number", "bar.queue": "Queue", "bar.called": "Called number", "bar.since": "Duration", "bar.waiting": "Waiting callers",
    "bar.take": "Take {number}", "bar.pop": "Open the caller's page", "bar.popFrame": "The caller's page",
    "bar.blocked": "The browser has blocked the caller's page. Open it once by the link, or allow pop-ups for this address.",
    "bar.atPhone": "Answer at your phone.", "bar.holdAtPhone": "Your phone holds the call. Take it back there.",
    "bar.phoneAway": "Your phone is not registered or does not answer: no call can reach you.", "bar.call": "Call", "bar.more": "Listen to a colleague",
    "reason.lunch": "lunch", "reason.rest": "rest", "reason.meeting": "meeting", "reason.training": "training",
  },
  zh: {
    "bar.title": "话务条", "bar.extension": "分机号或用户名", "bar.password": "话机密码", "bar.own": "您的分机号",
    "bar.queues": "队列", "bar.queuesHint": "多个队列用逗号分隔；留空则保持现有队列。", "bar.signIn": "签入", "bar.signOut": "签出",
    "bar.joinQueues": "签入队列", "bar.ready": "示闲", "bar.break": "示忙", "bar.reason": "示忙原因", "bar.stateOf": "状态",
    "bar.lost": "连接已断开，显示的是最后已知的状态。", "bar.asterisk": "电话系统未连接，显示的是最后已知的状态。",
    "bar.connecting": "正在连接…", "bar.up": "已连接",
    "bar.logout": "未签入队列", "bar.login": "已签入，尚未示闲", "bar.unready": "示忙中", "bar.busy": "通话中",
    "bar.acw": "话后处理", "bar.left": "剩余 {seconds} 秒",
    "bar.dial": "拨号", "bar.number": "要拨打的号码", "bar.hangup": "挂断", "bar.answer": "接听", "bar.hold": "保持", "bar.unhold": "恢复", "bar.target": "转接到的号码",
    "bar.transfer": "转接", "bar.consult": "咨询", "bar.complete": "完成转接", "bar.cancel": "返回来电者", "bar.three": "三方通话",
    "bar.leave": "请 {number} 退出", "bar.listen": "监听", "bar.listenTo": "要监听的分机", "bar.unlisten": "停止监听",
    "bar.incoming": "来电", "bar.outgoing": "去电", "bar.talking": "通话", "bar.onHold": "保持中", "bar.asking": "正在咨询 {number}",
    "bar.unknown": "未知号码", "bar.queue": "队列", "bar.called": "被叫号码", "bar.since": "时长", "bar.waiting": "排队来电",
    "bar.take": "接入 {number}", "bar.pop": "打开来电页面", "bar.popFrame": "来电页面",
    "bar.blocked": "浏览器拦截了来电页面。请点击链接打开一次，或允许本地址弹出窗口。",
    "bar.atPhone": "请在话机上接听。", "bar.holdAtPhone": "通话由话机保持，请在话机上恢复。",
    "bar.phoneAway": "您的话机未注册或无响应，无法接到来电。", "bar.call": "通话", "bar.more": "监听同事",
    "reason.lunch": "用餐", "reason.rest": "小休", "reason.meeting": "会议", "reason.training": "培训",
  },
});

/** A refusal in words: the server's own, where there are none in the language. */
export const refusal = (error) => said(error.result || error.message || String(error));
