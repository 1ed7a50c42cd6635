package command

var WithStatus = withStatus
