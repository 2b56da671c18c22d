// What the daemon says, in Chinese: a text, or one with {} for what varies, which stands where the Chinese has {}, in the order of the text.
// console/messages_test.go finds what has no line here in the source of the daemon.

const lines = `
Unauthorized => 未登录
Authorization Required! => 未登录
Not Found => 没有这个地址
Method Not Allowed => 不支持这种请求方法
internal error => 内部错误
File not found => 文件不存在
wrong name or password => 用户名或密码错误
auth failed! => 账号或密码错误
account not enable! => 该账号已停用
this user is disabled => 该用户已停用
too many failed attempts, try again later => 失败次数过多，请稍后再试
too many log-ins at once, try again => 同时登录的人太多，请重试
Asterisk is not connected, which knows the passwords of phones: try again => 未连接到保存话机密码的 Asterisk，请重试
Asterisk is not connected, try again => 电话系统未连接，请重试
the manager user of Asterisk lacks the privilege => Asterisk 的管理用户缺少权限
your role may not do this => 您的角色无权执行此操作
your role may not do this: it takes {} => 您的角色无权执行此操作，需要 {} 角色
only a user may do this => 只有用户可以执行此操作
only a user who has logged in has a password here => 只有已登录的用户在此设有密码
the request comes from a page of another site => 请求来自其他网站的页面
the header {} is missing or not that of the session => 请求头 {} 缺失或与会话不符
this address is not allowed to connect => 此地址不允许连接
this address is not allowed to read metrics => 此地址不允许读取指标
the path is not plain UTF-8 text => 路径不是 UTF-8 文本

the request arrived too slowly => 请求到达过慢
the request took too long; whether it took effect is not known => 请求耗时过长，不确定是否已生效
the outcome is unknown, do not repeat blindly => 结果未知，请勿盲目重试
the body cannot be read => 无法读取请求正文
the body is larger than {} bytes => 请求正文超过 {} 字节
the body is no JSON object => 请求正文不是 JSON 对象
the body is not the JSON that is wanted here => 请求正文的 JSON 不符合要求
the JSON body is not UTF-8 => JSON 正文不是 UTF-8
something follows the JSON object in the body => JSON 对象之后还有内容
the Content-Type cannot be read; send application/x-www-form-urlencoded or application/json => 无法识别 Content-Type，请使用 application/x-www-form-urlencoded 或 application/json
the Content-Type {} is not understood; send application/x-www-form-urlencoded or application/json => 不支持 Content-Type {}，请使用 application/x-www-form-urlencoded 或 application/json
the charset {} is not understood; send utf-8 => 不支持字符集 {}，请使用 utf-8
the {} has a badly encoded value: {} => {} 中的值编码有误：{}
the {} has a name that is badly encoded => {} 中的参数名编码有误
the name of a parameter is empty or no plain text: {} => 参数名为空或不是纯文本：{}
{} is a JSON value of a kind that is not understood here => {} 的 JSON 类型不受支持
{} is badly encoded => {} 编码有误
{} is given twice with different values => {} 给出了两个不同的值
{} is longer than {} bytes => {} 超过 {} 字节
{} is not UTF-8 => {} 不是 UTF-8
{} holds a control character => {} 含有控制字符
{} is missing => 缺少 {}
{} is no number from {} to {} => {} 不是 {} 到 {} 之间的数字
{} is no time: YYYY-MM-DD HH:MM:SS or RFC 3339 => {} 不是有效时间：YYYY-MM-DD HH:MM:SS 或 RFC 3339
{}: yes or no => {}：须为 yes 或 no
{}: true or false => {}：须为 true 或 false
{}: {} or {} => {}：须为 {} 或 {}
{}: not a number from {} to {} => {}：不是 {} 到 {} 之间的数字
{}: not a number of seconds => {}：不是秒数
more than {} parameters => 参数超过 {} 个
missing parameter: {} => 缺少参数：{}
is longer than {} bytes => 超过 {} 字节
is not UTF-8 => 不是 UTF-8
holds a control character => 含有控制字符
longer than {} bytes => 超过 {} 字节
longer than {} characters => 超过 {} 个字符
is empty => 不能为空
not a number => 不是数字
more than {} => 超过 {} 个
from {} to {} seconds => 须为 {} 到 {} 秒
disabled is neither true nor false => disabled 须为 true 或 false
failed is neither true nor false => failed 须为 true 或 false
name, role, password or disabled is missing => 缺少 name、role、password 或 disabled
not what an answer has given as next => 不是上一页给出的 next
to is before from => 结束时间早于开始时间
is not after from => 须晚于开始时间
is more than 31 days after from => 距开始时间超过 31 天

no such call => 没有这通通话
the call was not recorded => 此通话没有录音
the recording cannot be read => 无法读取录音
invalid range: failed to overlap => 请求的范围超出录音
another export of yours is under way, try again => 您的另一个导出正在进行，请重试
other exports are under way, try again => 其他人正在导出，请重试
no more live feeds, try again later => 实时数据连接已满，请稍后再试
you have as many live feeds open as one may: close some => 您打开的实时页面已达上限，请关闭一些

no such user => 没有该用户
another user has that login => 登录名已被占用
there are as many users as there may be => 用户数量已达上限
the last administrator must stay one who may log in => 必须保留至少一名可登录的管理员
login: the audit log calls somebody else {} => 登录名 {} 为审计日志保留
not 1 to 64 letters, digits and . _ @ + - => 须为 1 到 64 个字母、数字或 . _ @ + -
digits alone are an extension's => 纯数字是分机号，不能用作登录名
not 1 to 128 bytes of UTF-8 => 须为 1 到 128 字节的 UTF-8 文本
not admin, supervisor or agent => 须为 admin、supervisor 或 agent
not UTF-8 => 不是 UTF-8
shorter than {} characters => 少于 {} 个字符
the same as the login => 不能与登录名相同
password: not the one that you have => 当前密码不正确

there is none => 没有这一项
direction is missing => 缺少方向
note is missing => 缺少备注
must be 1 to 32 of the characters 0-9 + * # => 须为 1 至 32 个字符：0-9、+、*、#
must be UTF-8 of at most 255 characters without control characters => 最多 255 个字符，且不含控制字符
must be inbound, outbound or both => 须为 inbound、outbound 或 both
the database is full => 数据库已满
the database is full, nothing was done => 数据库已满，未作改动
black list: asterisk is not connected => 未连接 Asterisk

no such event => 没有这个事件
no receiver is configured: [general] URL is empty => 未配置接收方：[general] URL 为空
no such receiver is configured => 没有配置这个接收方
id does not go together with state, event, call, since or until => id 不能与 state、event、call、since 或 until 同时使用
unusable filter: no receiver {}; there are {} => 没有接收方 {}，现有：{}
unusable filter: no state {}; there are pending, delivered, dead, expired, dropped => 没有状态 {}，可用：pending、delivered、dead、expired、dropped
unusable filter: {} is stored for {}; say for which receiver => {} 存有多个接收方：{}，请指明接收方
answer 1{} => 应答 1{}
answer 2{} => 应答 2{}
answer 3{}: the URL has moved to {}, redirects are not followed => 应答 3{}：地址已迁移至 {}，不跟随重定向
answer 401{}: is the clock right? => 应答 401{}：请检查系统时钟
answer 3{} => 应答 3{}（重定向）
answer 4{} => 应答 4{}（接收方拒绝）
answer 5{} => 应答 5{}（接收方出错）
answer {} => 应答 {}
no answer in time: {} => 未及时应答：{}
dial {}: connect: connection refused => 连接被拒绝（{}）
dial {}: connect: no route to host => 没有到主机的路由（{}）
dial {}: connect: network is unreachable => 网络不可达（{}）
dial {}: i/o timeout => 连接超时（{}）
dial {}: {} => 无法连接（{}）：{}
lookup {}: no such host => 找不到主机 {}
lookup {}: {} => 无法解析主机 {}：{}
context deadline exceeded{} => 已超时
context canceled => 已取消
net/http: TLS handshake timeout => TLS 握手超时
net/http: timeout awaiting response headers => 等待应答超时
read {}: connection reset by peer => 连接被对方重置（{}）
EOF => 连接被对方关闭
unexpected EOF => 连接被对方中断
tls: failed to verify certificate: x509: certificate signed by unknown authority => 证书由未知机构签发
tls: failed to verify certificate: x509: certificate has expired or is not yet valid{} => 证书已过期或尚未生效
tls: failed to verify certificate: {} => 证书校验失败：{}
tls: {} => TLS 错误：{}
http: server gave HTTP response to HTTPS client => 对方使用的是 HTTP，不是 HTTPS
address is link-local => 地址为链路本地地址
the database was damaged and not all of it could be read; it is kept as {} => 数据库已损坏，部分内容无法读取；原文件保存为 {}

asterisk was not reached yet => 尚未连接到 Asterisk
asterisk is not connected => 未连接 Asterisk
the manager link is down => 与 Asterisk 的管理连接已断开
the manager link is down: {} => 与 Asterisk 的管理连接已断开：{}
waiting for asterisk to be fully booted => 正在等待 Asterisk 启动完成
asterisk does not say that it is fully booted: the manager user needs read = system, or asterisk is still loading => Asterisk 未报告启动完成：管理用户需要 read = system 权限，或 Asterisk 仍在加载
querying asterisk failed: {} => 查询 Asterisk 失败：{}
not allowed or not there: {} => 没有权限或不存在：{}
call records of the time without a link: {} => 断开期间的通话记录：{}
the switch is stuck => 处理停滞
authentication failed => 认证失败
permission denied => 权限不足
outcome is unknown => 结果未知
logged off => 已注销
ami: Run was called before => 内部错误：重复启动
asterisk is shutting down => Asterisk 正在关闭
events are not taken => 事件未被处理
peer is silent => 对方没有响应

agent is busy => 坐席正忙
agent not login => 坐席未签入
extension is not registered => 分机未注册
no call => 没有通话
not found => 未找到
queue not found => 没有这个队列
no such extension => 没有这个分机
no such outbound group => 没有这个外呼组
no such caller in your queues => 您的队列中没有这个来电
not your extension => 不是您的分机
the call is not in a state for this => 当前通话状态不允许此操作
the phone does not pick up when it is asked to => 话机不支持远程接听，请在话机上接听
asterisk cannot ask phones to pick up: its module res_pjsip_notify.so is not loaded => Asterisk 未加载 res_pjsip_notify.so，无法远程接听
the other number is busy or cannot be reached => 对方忙或无法接通
number is on the black list => 该号码在黑名单中
number may not be dialled => 该号码不允许拨打
{} may not be dialled => {} 不允许拨打
already in the conference => 已在会议中
not in the conference => 不在会议中
conference is full => 会议人数已满
too many conferences => 会议数量已达上限
is a conference => 是会议号码
{} is a conference => {} 是会议号码
does not exist => 不存在
already exists => 已存在
in use => 正在使用
made by hand in Asterisk, not changed here => 在 Asterisk 中手工创建，此处不修改
all lines of the trunk group are busy => 中继组线路全忙
no trunk of the group can be reached => 中继组不可用
too many campaigns run => 运行中的外呼任务过多
too many numbers wait to be dialled => 待拨号码过多
ai not supported => 不支持机器人
not an extension number => 不是分机号
extension: not an extension number => 不是分机号
is the extension itself => 不能是分机自己
an extension cannot listen to itself => 不能监听自己
an extension cannot take its own call => 不能接管自己的通话
not listen, whisper or barge => 须为 listen、whisper 或 barge
not a channel's id => 不是通道编号
a name is empty => 名称为空
none is named => 未指定
none => 没有给出
acw is kept for after-call work => acw 为话后处理保留
{} is kept for the switch => {} 为系统保留
begins with {}, which is kept => 不能以保留的 {} 开头
0, 1 or 2 => 须为 0、1 或 2
ivr, play, queue or ai => 须为 ivr、play、queue 或 ai
must be 1 to 64 of letters, digits and . _ @ + - => 须为 1 至 64 个字母、数字或 . _ @ + -
must be 1 to 79 of letters, digits, _ and -, and not begin with {} => 须为 1 至 79 个字母、数字、_ 或 -，且不以 {} 开头
must be a number from 0 to 99 => 须为 0 到 99 的数字
must be printable UTF-8 of {} bytes at most => 须为不超过 {} 字节的可见文本
must be the extension number, by which chan_sip knows a phone => 须为分机号（chan_sip 以此识别话机）
must have 1 to 200 bytes and no slash => 须为 1 到 200 字节且不含斜杠
not a file below the folders of sounds => 不是语音目录中的文件
not the name of a context => 不是有效的 context 名称
not the name of a family => 不是有效的 family 名称
not the name of a sound below Asterisk's own folders => 不是 Asterisk 语音目录中的文件名
Asterisk cannot play {} => Asterisk 无法播放 {}

a WebSocket is expected => 此处需要 WebSocket
no more sockets => 连接数已满
too many commands at once => 同时执行的命令过多
not implemented => 尚未实现
not subscribed => 未订阅
the frame is not UTF-8 => 消息不是 UTF-8
the frame is not a JSON object => 消息不是 JSON 对象
args: not a JSON object => args：不是 JSON 对象
cmd: not a command => cmd：没有这个命令
cmd: not a short string => cmd：须为短文本
uuid: not a short string => uuid：须为短文本
key: not a routing key => key：不是有效的订阅键
key: too many subscriptions => key：订阅过多
id: not a number => id：不是数字
type: kick for all => type：对所有人只能用 kick
type: kick, mute or unmute => type：须为 kick、mute 或 unmute
type: onhook is the only one => type：只能为 onhook
state: logout, login, ready, unready, busy or acw => state：须为 logout、login、ready、unready、busy 或 acw
special_flag: 2, 3 or 4 => special_flag：须为 2、3 或 4
fileType: text to speech is not supported => fileType：不支持语音合成
not a string, a number or a truth value => 须为单个值

not connected => 未连接
not connected, nothing was sent => 未连接，操作未发送
too long, nothing was sent => 内容过长，操作未发送
no answer, the outcome is unknown, do not repeat blindly => 没有应答，结果未知，请勿盲目重试
cannot connect: {} => 无法连接：{}
the connection is lost => 连接已断开
the connection is lost, the outcome is unknown, do not repeat blindly => 连接已断开，结果未知，请勿盲目重试
closed => 连接已关闭
the server does not answer => 服务没有响应
nobody is asked any more => 咨询已结束，没有可转接的对象

Normal Clearing => 正常挂断
User busy => 用户忙
User alerting, no answer => 无人接听
No user responding => 用户无响应
Subscriber absent => 用户不在线
Call Rejected => 呼叫被拒绝
Number changed => 号码已变更
Destination out of order => 对方故障
Invalid number format => 号码格式无效
Facility rejected => 业务被拒绝
Unallocated (unassigned) number => 空号
No route to specified transmit network => 没有到指定网络的路由
No route to destination => 没有到目的地的路由
Normal, unspecified => 正常，未说明
Circuit/channel congestion => 线路拥塞
Network out of order => 网络故障
Temporary failure => 临时故障
Switching equipment congestion => 交换设备拥塞
Access information discarded => 接入信息被丢弃
Requested channel not available => 请求的通道不可用
Facility not subscribed => 未开通此业务
Outgoing call barred => 呼出受限
Incoming call barred => 呼入受限
Bearer capability not authorized => 承载能力未授权
Bearer capability not available => 承载能力不可用
Bearer capability not implemented => 不支持此承载能力
Facility not implemented => 不支持此业务
Incompatible destination => 与对方不兼容
Recover on timer expiry => 定时器超时
Protocol error, unspecified => 协议错误
Interworking, unspecified => 互通错误
Unknown => 未知
`;

const exact = new Map(), patterns = [];
for (const line of lines.split("\n")) {
  const at = line.indexOf(" => ");
  if (at < 0) continue;
  const text = line.slice(0, at), chinese = line.slice(at + 4);
  if (text.includes("{}")) patterns.push([new RegExp(`^${text.split("{}").map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&")).join("(.*?)")}$`, "s"), chinese]);
  else exact.set(text, chinese);
}

/** A text of the daemon in Chinese: in whole, or with what it quotes in its own words; undefined where there is none. */
export function inChinese(text) {
  if (exact.has(text)) return exact.get(text);
  for (const [pattern, chinese] of patterns) {
    const found = pattern.exec(text);
    if (!found) continue;
    let n = 0;
    return chinese.replace(/\{\}/g, () => inChinese(found[++n]) ?? found[n]);
  }
  const [, name, rest] = /^([\w.-]+(?: list)?): (.+)$/s.exec(text) ?? []; // the name of a parameter, or of a part of the daemon
  const words = rest && inChinese(rest);
  return words && `${name}：${words}`;
}
